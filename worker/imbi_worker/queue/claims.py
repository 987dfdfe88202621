"""Claiming: a batch of due jobs under a lease, in one call."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, cast

from imbi_sdk.queue import keys
from imbi_sdk.queue.job import WIRE_VERSION
from imbi_sdk.queue.scripts import load_script
from imbi_worker.queue.waking import Pipelines, run_when_woken

SCRIPTS = "imbi_worker.queue.scripts"
CLAIM = load_script("claim", SCRIPTS)
_FIELDS = 5


class ClaimedJob(NamedTuple):
    """One job under our lease: its bytes and what its hash says, nothing verified yet.

    *waited_ms* is how long it could have run and did not: no worker was free, or none had its
    plugin. Waits that are meant (a lane, a retry, a hold) are no part of it.
    """

    id: str
    token: str
    body: bytes
    event: bytes
    enqueued_at: datetime
    run: int
    waited_ms: int = 0
    attempts: int = 0
    crashes: int = 0
    first_failed_at: datetime | None = None
    held: timedelta = timedelta()
    deferred_since: datetime | None = None
    after_unknown: bool = False

    def __repr__(self) -> str:
        # A body and an event may quote a secret.
        return f"ClaimedJob(id={self.id!r}, token={self.token!r}, run={self.run})"

    @property
    def number(self) -> int:
        """The number of the attempt that now begins, from 1."""
        return self.attempts + 1

    @property
    def size(self) -> int:
        """Bytes in hand while the job runs."""
        return len(self.body) + len(self.event)

    @property
    def must_run_alone(self) -> bool:
        """It crashed twice: the next crash must tell whether it is the cause."""
        return self.crashes > 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim's answer. ``left`` says why due jobs stayed: there were more, or no bytes free.

    ``is_empty`` says that it brought no job, and still says so when the jobs are handed on.
    """

    at: datetime
    next_due: datetime
    left: Literal["", "more", "bytes"]
    is_empty: bool
    jobs: tuple[ClaimedJob, ...]
    strangers: tuple[tuple[str, bytes], ...]
    aborts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker can take just now.

    *event_bytes* are those of bodies and events; with *takes_any* the first job may have more.
    *passes_on*: another worker is woken for due jobs that are left; this one need not come back.
    """

    jobs: int
    event_bytes: int
    takes_any: bool
    spares_expired: bool
    graph_answers: bool
    passes_on: bool = True


_NOTHING = Request(0, 0, takes_any=False, spares_expired=True, graph_answers=False)


class Claimer:
    """Claims for one worker. A claim that failed is repeated under its number."""

    def __init__(
        self, redis: Pipelines, *, queue: str, worker: str, lease: timedelta, slugs: Sequence[str]
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._worker = worker
        self._lease_ms = int(lease / timedelta(milliseconds=1))
        self._slugs = f" {' '.join(slugs)} "
        self._number = 1
        self._is_unheard = False
        # Redis' time (ms) at the last reply, and our own (seconds) when it came.
        self._clocks: tuple[int, float] | None = None

    @property
    def is_unheard(self) -> bool:
        """Whether the reply to a call has not come: Redis may have leased jobs by it."""
        return self._is_unheard

    async def claim(self, request: Request, *, wait: timedelta = timedelta()) -> Claim:
        """What there is for this worker: at once, or, within *wait*, when one more job is due.

        :raises redis.exceptions.RedisError: nothing is known to be claimed; call again
        """
        arguments = self._arguments(request)
        self._is_unheard = True
        if wait:
            reply = await run_when_woken(self._redis, CLAIM, arguments, wait, queue=self._queue)
        else:
            reply = await CLAIM(self._redis, [self._queue], arguments)
        self._number += 1
        self._is_unheard = False
        self._clocks = int(reply[0]), time.monotonic()
        return parse_claim(reply)

    async def recall(self) -> tuple[ClaimedJob, ...]:
        """What an unheard call has leased; it can lease nothing any more.

        :raises redis.exceptions.RedisError: call again
        """
        return (await self.claim(_NOTHING)).jobs

    def recalling(self) -> list[Any]:
        """The script's arguments for the same, from any thread."""
        return self._arguments(_NOTHING)

    def _arguments(self, request: Request) -> list[Any]:
        return [
            keys.LAYOUT,
            self._worker,
            self._number,
            request.jobs,
            request.event_bytes,
            int(request.takes_any),
            int(request.spares_expired),
            self._lease_ms,
            int(request.graph_answers),
            WIRE_VERSION,
            self._slugs,
            self._redis_time(),
            int(request.passes_on),
            int(self._is_unheard),
        ]

    def _redis_time(self) -> int | str:
        """What Redis' clock should show now; by that a script knows how old its call is."""
        if self._clocks is None:
            return ""
        at, seen = self._clocks
        return at + int((time.monotonic() - seen) * 1000)


def parse_claim(reply: Sequence[Any]) -> Claim:
    """The script's reply."""
    at, next_due, left, jobs, events, strangers, aborts = reply
    bodies = dict(zip(events[::2], events[1::2], strict=True))
    return Claim(
        at=moment(at),
        next_due=moment(next_due),
        left=cast("Literal['', 'more', 'bytes']", left.decode()),
        is_empty=not jobs,
        jobs=tuple(
            _job(jobs[start : start + _FIELDS], bodies, int(at))
            for start in range(0, len(jobs), _FIELDS)
        ),
        strangers=tuple(
            # Anybody may have written these ids, in any bytes.
            (id_.decode(errors="surrogateescape"), body)
            for id_, body in zip(strangers[::2], strangers[1::2], strict=True)
        ),
        aborts=tuple(id_.decode() for id_ in aborts),
    )


def _job(fields: Sequence[bytes], events: Mapping[bytes, bytes], at_ms: int) -> ClaimedJob:
    id_, token, body, event, facts = fields
    enqueued, run, due, *past = facts.decode().split(" ")
    job = ClaimedJob(
        id=id_.decode(),
        token=token.decode(),
        body=body,
        event=events.get(event, b""),
        enqueued_at=moment(enqueued or 0),
        run=int(run or 1),
        waited_ms=max(0, at_ms - max(int(due), int(enqueued or at_ms))),
    )
    return job._replace(**_past(past)) if past else job


def _past(figures: Sequence[str]) -> dict[str, Any]:
    told = dict(figure.split("=", 1) for figure in figures)
    return {
        "attempts": int(told["attempts"] or 0),
        "crashes": int(told["crashes"] or 0),
        "first_failed_at": moment(told["first_failed"]) if told["first_failed"] else None,
        "held": timedelta(milliseconds=int(told["held_ms"] or 0)),
        "deferred_since": moment(told["deferred_since"]) if told["deferred_since"] else None,
        "after_unknown": told["unknown"] == "1",
    }


def moment(milliseconds: bytes | str | float) -> datetime:
    """Redis' milliseconds since 1970 as an aware datetime."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, tz=UTC)
