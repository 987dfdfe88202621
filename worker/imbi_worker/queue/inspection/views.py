"""What the operator's tools show of the queue: frozen values, no Redis.

Bytes of bodies, events and signatures are in none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, Literal, TypeAlias, TypeVar

Item = TypeVar("Item")


class State(StrEnum):
    """Where a job stands, in the README's words."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    DEAD = "dead"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self not in {State.WAITING, State.RUNNING}

    @property
    def is_good(self) -> bool:
        return self in {State.SUCCEEDED, State.SKIPPED}


WaitKind: TypeAlias = Literal[
    "lane",
    "retry",
    "deferral",
    "hold",
    "absent",
    "plugin",
    "clock",
    "worker",
    "intake",
    "lease",
    "cancel",
    "abandoned",
]


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a job makes no progress just now; *text* says it in a sentence."""

    kind: WaitKind
    text: str
    until: datetime | None = None
    behind: str | None = None
    hold: str | None = None


@dataclass(frozen=True, slots=True)
class HoldView:
    """A stop on ``queue``, ``plugin:<id>`` or ``handler:<handler>``; a pause has no end.

    *kind* is ``operator``, ``rate_limit``, or ``removed`` while its jobs come back.
    """

    scope: str
    kind: str
    reason: str
    actor: str
    since: datetime | None
    until: datetime | None
    parked: int
    is_half_open: bool = False


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as its hash tells it. *seq* is its place among all jobs ever enqueued."""

    id: str
    handler: str
    state: State
    project: str
    plugin_id: str | None
    delivery: str
    lane: str
    seq: int
    ordinal: int
    attempts: int
    crashes: int
    run: int
    enqueued: datetime | None
    started: datetime | None = None
    ended: datetime | None = None
    not_before: datetime | None = None
    worker: str | None = None
    wait: Wait | None = None
    reason: str = ""
    error: str = ""
    reported_as: str = ""
    replayed_by: str | None = None
    cancelled_by: str | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that an action logged; redacted and shortened when it was written."""

    at: datetime | None
    level: str
    logger: str
    text: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt's record. A job that was replayed begins again at number 1 of its next run.

    *lines* are the last that its action logged; of a success, its warnings.
    """

    run: int
    number: int
    outcome: str
    worker: str | None
    started: datetime | None
    ended: datetime | None
    duration: timedelta | None
    error: str = ""
    retry_in: timedelta | None = None
    lines: tuple[LogLine, ...] = ()
    lines_left_out: int = 0


@dataclass(frozen=True, slots=True)
class StoredJob:
    """Everything Redis still holds of a job. Body and event are as they were sent."""

    view: JobView
    attempts: tuple[AttemptView, ...]
    body: bytes | None = field(repr=False)
    event: bytes | None = field(repr=False)
    later_ran: bool


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """A dead letter. ``later_ran``: jobs behind it in its lane have run since."""

    job: JobView
    died: datetime | None
    size_bytes: int
    has_event: bool
    later_ran: bool


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One delivery and the state of each of its jobs, by job id."""

    id: str
    received: datetime | None
    open: int
    jobs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker by its last heartbeat; *facts* is what else it said of itself."""

    id: str
    seen: datetime
    is_alive: bool
    slugs: tuple[str, ...]
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The queue in figures. *scheduled*: running, or due at a known moment later."""

    at: datetime
    due: int
    scheduled: int
    behind: int
    dead: int
    dead_bytes: int
    live_workers: int
    holds: int
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list; *cursor* asks for the next one and is None at the end.

    *remaining* counts what was not looked at yet. It is the number of items to come
    when nothing was filtered (``is_exact``), else the most it can be.
    """

    items: tuple[Item, ...]
    cursor: str | None
    remaining: int
    is_exact: bool
