"""Single jobs, workers, holds, deliveries and figures, read for the operator's tools.

Reads only. Lists are in ``listing``; nothing here asks Redis for all its keys.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.reading import (
    Client,
    Command,
    ask,
    number,
    pairs,
    server_time,
    text,
    texts,
    when,
)
from imbi_worker.queue.inspection.surroundings import SILENCE, gather, read_holds
from imbi_worker.queue.inspection.views import (
    AttemptView,
    DeadLetterView,
    DeliveryView,
    HoldView,
    JobView,
    LogLine,
    QueueStats,
    State,
    StoredJob,
    WorkerView,
)
from imbi_worker.queue.inspection.waiting import Surroundings, not_taken_in, why

_ATTEMPT = "attempt:"
_FIELDS = (
    *("state", "handler", "plugin", "project", "lane", "seq", "delivery", "digest", "ordinal"),
    *("enqueued", "attempts", "crashes", "run", "not_before", "hold", "deferred_since", "started"),
    *("worker", "lease_until", "ended", "reason", "error", "status", "unresolved", "abandoned"),
    *("replayed_by", "cancelled_by", "pass"),
)


class Inspection:
    """Reads one queue."""

    def __init__(self, redis: Client, *, queue: str = keys.QUEUE) -> None:
        self.redis = redis
        self.queue = queue

    async def jobs(self, ids: Sequence[str]) -> dict[str, JobView]:
        """Those of *ids* that Redis still knows, in a few round trips."""
        commands: list[Command] = [("TIME",)]
        for id_ in ids:
            commands += [("HMGET", f"{keys.JOB}{id_}", *_FIELDS), ("ZSCORE", self.queue, id_)]
        at, *replies = await ask(self.redis, commands)
        found: dict[str, Mapping[str, str]] = {}
        scores: dict[str, bytes | None] = {}
        strangers: dict[str, bytes] = {}
        for id_, values, score in zip(ids, replies[::2], replies[1::2], strict=True):
            if values[0] is not None:
                named = zip(_FIELDS, values, strict=True)
                found[id_] = {name: text(value) for name, value in named if value is not None}
                scores[id_] = score
            elif score is not None:
                strangers[id_] = score
        now = server_time(at)
        around = await gather(self.redis, found, scores, now)
        views = {id_: job_view(id_, hash_, around[id_]) for id_, hash_ in found.items()}
        views.update({id_: _stranger(id_, when(due), now) for id_, due in strangers.items()})
        return {id_: views[id_] for id_ in ids if id_ in views}

    async def stored(self, job: str, *, with_event: bool = False) -> StoredJob | None:
        """All that Redis holds of *job*, or None when it knows nothing of it.

        An event may have many megabytes and is read only on demand.
        """
        view = (await self.jobs([job])).get(job)
        if view is None:
            return None
        hash_, body = await ask(
            self.redis, [("HGETALL", f"{keys.JOB}{job}"), ("GET", f"{keys.BODY}{job}")]
        )
        facts = texts(hash_)
        commands: list[Command] = [("GET", f"{keys.LANE_MOVED}{view.lane}")]
        if with_event:
            commands.append(("HGET", f"{keys.EVENT}{view.delivery}", facts.get("digest", "")))
        moved, *events = await ask(self.redis, commands)
        return StoredJob(
            view=view,
            attempts=attempts(facts),
            body=body,
            event=events[0] if events else None,
            later_ran=bool(view.lane) and number(moved) > view.seq,
        )

    async def dead_letters(self, ids: Sequence[str]) -> dict[str, DeadLetterView]:
        """Those of *ids* that are dead letters."""
        views = await self.jobs(ids)
        dead = [view for view in views.values() if view.state is State.DEAD]
        digests = await ask(self.redis, [("HGET", f"{keys.JOB}{v.id}", "digest") for v in dead])
        commands: list[Command] = []
        for view, digest in zip(dead, digests, strict=True):
            commands += [
                ("ZSCORE", keys.DEAD, view.id),
                ("STRLEN", f"{keys.BODY}{view.id}"),
                ("HEXISTS", f"{keys.EVENT}{view.delivery}", text(digest)),
                ("GET", f"{keys.LANE_MOVED}{view.lane}"),
            ]
        replies = await ask(self.redis, commands)
        letters: dict[str, DeadLetterView] = {}
        for place, (view, digest) in enumerate(zip(dead, digests, strict=True)):
            died, size, exists, moved = replies[place * 4 : place * 4 + 4]
            letters[view.id] = DeadLetterView(
                job=view,
                died=when(died),
                size_bytes=int(size),
                # Without a digest the event stands in the body itself.
                has_event=bool(exists) or (not digest and bool(size)),
                later_ran=bool(view.lane) and number(moved) > view.seq,
            )
        return letters

    async def bodies(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The bodies of those of *ids* that have one, as they were sent."""
        found = await ask(self.redis, [("GET", f"{keys.BODY}{id_}") for id_ in ids])
        return {id_: body for id_, body in zip(ids, found, strict=True) if body is not None}

    async def delivery(self, delivery: str) -> DeliveryView | None:
        """The record of a delivery, or None once it has expired."""
        (record,) = await ask(self.redis, [("HGETALL", f"{keys.DELIVERY}{delivery}")])
        return delivery_view(delivery, texts(record)) if record else None

    async def workers(self) -> tuple[WorkerView, ...]:
        """Every worker that has been heard of in the last minutes, by id."""
        at, beats = await ask(
            self.redis, [("TIME",), ("ZRANGE", keys.WORKERS, 0, -1, "WITHSCORES")]
        )
        now = server_time(at)
        seen = [(text(id_), when(score)) for id_, score in pairs(beats)]
        hashes = await ask(self.redis, [("HGETALL", f"{keys.WORKER}{id_}") for id_, _ in seen])
        views = [
            _worker(id_, moment, texts(facts), now)
            for (id_, moment), facts in zip(seen, hashes, strict=True)
            if moment is not None
        ]
        return tuple(sorted(views, key=lambda view: view.id))

    async def holds(self) -> tuple[HoldView, ...]:
        """Every hold, the one that ends first at the top."""
        return await read_holds(self.redis)

    async def stats(self) -> QueueStats:
        """The queue in figures, as of one moment of Redis' clock."""
        (at,) = await ask(self.redis, [("TIME",)])
        now = server_time(at)
        milliseconds = int(now.timestamp() * 1000)
        alive_since = milliseconds - int(SILENCE / timedelta(milliseconds=1))
        due, scheduled, behind, dead, size, workers, holds, counters = await ask(
            self.redis,
            [
                ("ZCOUNT", self.queue, "-inf", milliseconds),
                ("ZCOUNT", self.queue, f"({milliseconds}", f"({keys.FAR}"),
                ("ZCOUNT", self.queue, keys.FAR, "+inf"),
                ("ZCARD", keys.DEAD),
                ("GET", keys.DEAD_BYTES),
                ("ZCOUNT", keys.WORKERS, alive_since, "+inf"),
                ("ZCARD", keys.HOLDS),
                ("HGETALL", keys.COUNTERS),
            ],
        )
        figures = {name: number(value) for name, value in texts(counters).items()}
        return QueueStats(now, due, scheduled, behind, dead, number(size), workers, holds, figures)

    async def oldest_due(self) -> datetime | None:
        """Since when the job that is due for longest is due, by Redis' clock."""
        at, found = await ask(self.redis, [("TIME",), ("ZRANGE", self.queue, 0, 0, "WITHSCORES")])
        since = when(found[1]) if found else None
        return since if since is not None and since <= server_time(at) else None


def job_view(job: str, facts: Mapping[str, str], around: Surroundings) -> JobView:
    state = facts["state"]
    return JobView(
        id=job,
        handler=facts.get("handler", ""),
        state=State.WAITING if state == "parked" else State(state),
        project=facts.get("project", ""),
        plugin_id=facts.get("plugin") or None,
        delivery=facts.get("delivery", ""),
        lane=facts.get("lane", ""),
        seq=number(facts.get("seq")),
        ordinal=number(facts.get("ordinal")),
        attempts=number(facts.get("attempts")),
        crashes=number(facts.get("crashes")),
        run=number(facts.get("run")) or 1,
        enqueued=when(facts.get("enqueued")),
        started=when(facts.get("started")),
        ended=when(facts.get("ended")),
        not_before=when(facts.get("not_before")),
        worker=facts.get("worker") or None,
        wait=why(job, facts, around),
        reason=facts.get("reason", ""),
        error=facts.get("error", ""),
        reported_as=facts.get("status", ""),
        replayed_by=facts.get("replayed_by") or None,
        cancelled_by=facts.get("cancelled_by") or None,
    )


def delivery_view(delivery: str, record: Mapping[str, str]) -> DeliveryView:
    return DeliveryView(
        id=delivery,
        received=when(record.get("received")),
        open=max(0, number(record.get("open"))),
        jobs={
            name.removeprefix("job:"): state
            for name, state in record.items()
            if name.startswith("job:")
        },
    )


def _stranger(job: str, due: datetime | None, now: datetime) -> JobView:
    return JobView(
        id=job,
        handler="",
        state=State.WAITING,
        project="",
        plugin_id=None,
        delivery="",
        lane="",
        seq=0,
        ordinal=0,
        attempts=0,
        crashes=0,
        run=1,
        enqueued=None,
        wait=not_taken_in(due, now),
    )


def _worker(id_: str, seen: datetime, facts: Mapping[str, str], now: datetime) -> WorkerView:
    # The script's memory of its last claim; ids and tokens are nothing to show.
    told = {name: v for name, v in facts.items() if name not in {"claim", "claimed", "slugs"}}
    return WorkerView(
        id=id_,
        seen=seen,
        is_alive=now - seen <= SILENCE,
        slugs=tuple(facts.get("slugs", "").split()),
        facts=told,
    )


def attempts(facts: Mapping[str, str]) -> tuple[AttemptView, ...]:
    found = [
        _attempt(name.removeprefix(_ATTEMPT), record)
        for name, record in facts.items()
        if name.startswith(_ATTEMPT)
    ]
    if facts.get("state") == State.SUCCEEDED:
        success = _success(facts)
        # One that warned has a record of its own.
        if not any((one.run, one.number) == (success.run, success.number) for one in found):
            found.append(success)
    return tuple(sorted(found, key=lambda attempt: (attempt.run, attempt.number)))


def _success(facts: Mapping[str, str]) -> AttemptView:
    """A success leaves no record of its own: the hash holds what it would say."""
    duration = facts.get("duration_ms", "")
    return AttemptView(
        run=number(facts.get("run")) or 1,
        number=number(facts.get("attempts")),
        outcome="succeeded",
        worker=facts.get("worker"),
        started=None,
        ended=when(facts.get("ended")),
        duration=timedelta(milliseconds=number(duration)) if duration else None,
    )


def _error(told: Mapping[str, Any]) -> str:
    """What went wrong, and what a worker that was replaced said of it when nobody listened."""
    error = str(told.get("error") or "")
    if not told.get("stale"):
        return error
    said = f"; its worker came back and said {told['stale']}, which no longer counted"
    late = told.get("stale_error")
    return f"{error}{said}: {late}" if late else f"{error}{said}"


def _attempt(place: str, record: str) -> AttemptView:
    run, _, nth = place.partition(".")
    try:
        told = json.loads(record)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return AttemptView(number(run), number(nth), "unreadable", None, None, None, None)
    duration, pause = told.get("duration_ms"), told.get("retry_in_ms")
    return AttemptView(
        run=number(run),
        number=number(nth),
        outcome=str(told.get("outcome", "")),
        worker=told.get("worker"),
        started=when(str(told.get("started") or "")),
        ended=when(str(told.get("ended") or "")),
        duration=None if duration is None else timedelta(milliseconds=duration),
        error=_error(told),
        retry_in=None if pause is None else timedelta(milliseconds=pause),
        lines=_lines(told.get("lines")),
        lines_left_out=number(str(told.get("lines_left_out") or "")),
    )


def _lines(found: Any) -> tuple[LogLine, ...]:
    if not isinstance(found, list):
        return ()
    return tuple(
        LogLine(when(str(line[0])), str(line[1]), str(line[2]), str(line[3]))
        for line in found
        if isinstance(line, list) and len(line) == 4  # noqa: PLR2004 - as it was written
    )
