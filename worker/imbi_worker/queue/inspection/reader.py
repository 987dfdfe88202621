"""Single jobs, workers, holds, deliveries and figures, read for the operator's tools.

Reads only. Lists are in ``listing``; nothing here asks Redis for all its keys.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import Client, Command, ask
from imbi_worker.queue.inspection.attempts import attempts
from imbi_worker.queue.inspection.hashes import delivery_view, job_view, stranger_view, worker_view
from imbi_worker.queue.inspection.replies import number, pairs, server_time, text, texts, when
from imbi_worker.queue.inspection.surroundings import SILENCE, gather, read_holds
from imbi_worker.queue.inspection.views import (
    DeadLetterView,
    DeliveryView,
    HoldView,
    JobView,
    QueueStats,
    State,
    StoredJob,
    WorkerView,
)

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
        views.update({id_: stranger_view(id_, when(due), now) for id_, due in strangers.items()})
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
            worker_view(id_, moment, texts(facts), now)
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
