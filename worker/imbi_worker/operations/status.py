"""One screen: queue, running jobs, failures, plugins and workers, in a fixed number of reads."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from imbi_worker.operations.dead_groups import DeadGroup, Grouping
from imbi_worker.operations.errors import operation_errors
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.deaths import deaths
from imbi_worker.queue.inspection.glance import at_work, died_since, offers
from imbi_worker.queue.inspection.lanes import WaitingLane, longest_waiting
from imbi_worker.queue.inspection.views import HoldView, JobView, QueueStats, WorkerView

_ENDINGS: Final = ("succeeded", "skipped", "dead", "cancelled")
_DAY: Final = timedelta(days=1)
# The last failures say what is wrong now; `dead groups` looks at all of them.
_LAST: Final = 500


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job at work. *timeout* is None where nobody here knows it."""

    job: str
    handler: str
    project: str
    worker: str | None
    attempt: int
    elapsed: timedelta | None
    timeout: timedelta | None
    note: str


@dataclass(frozen=True, slots=True)
class SlowLane:
    """The lane in which a job has waited longest, *waited*; *waiting* jobs are behind its head."""

    lane: str
    head: str
    handler: str
    waiting: int
    waited: timedelta


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One plugin: on how many live workers, and how its jobs ended since the queue began."""

    slug: str
    workers: int
    offered: datetime | None
    succeeded: int
    skipped: int
    dead: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Failures:
    """Dead letters that are kept; *groups* are of the last *looked_at* of them."""

    dead: int
    last_day: int
    looked_at: int
    groups: tuple[DeadGroup, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The queue at one moment."""

    queue: str
    stats: QueueStats
    oldest_due: timedelta | None
    parked: int
    running: int
    longest: tuple[RunningJob, ...]
    slowest_lane: SlowLane | None
    failures: Failures
    holds: tuple[HoldView, ...]
    plugins: tuple[PluginStatus, ...]
    workers: tuple[WorkerView, ...]


async def status(
    inspection: Inspection,
    *,
    limit: int = 20,
    timeout_of: Callable[[str], timedelta] | None = None,
) -> Status:
    """Everything of one screen, *limit* running jobs and groups at most.

    What a job may take is told by its worker, else by *timeout_of*, from a handler.

    :raises Unavailable: Redis does not answer
    """
    with operation_errors():
        stats = await inspection.stats()
        holds = await inspection.holds()
        workers = await inspection.workers()
        work = await at_work(inspection, limit=limit)
        oldest = await inspection.oldest_due()
        offered = await offers(inspection)
        failures = await _failures(inspection, stats, limit)
        lane = await longest_waiting(inspection)
    told = {worker.id: _timeouts(worker) for worker in workers}
    return Status(
        queue=inspection.queue,
        stats=stats,
        oldest_due=None if oldest is None else max(timedelta(0), stats.at - oldest),
        parked=sum(hold.parked for hold in holds),
        running=work.count,
        longest=tuple(_running(job, stats.at, told, timeout_of) for job in work.longest),
        slowest_lane=None if lane is None else _slow(lane, stats.at),
        failures=failures,
        holds=holds,
        plugins=_plugins(stats, workers, offered),
        workers=workers,
    )


async def _failures(inspection: Inspection, stats: QueueStats, limit: int) -> Failures:
    last_day = await died_since(inspection, stats.at - _DAY)
    grouping, count = Grouping(), 0
    async for page in deaths(inspection, since=stats.at - _DAY, most=_LAST):
        for job in page:
            grouping.add(job)
            count += 1
    return Failures(stats.dead, last_day, count, grouping.groups()[:limit])


def _slow(lane: WaitingLane, now: datetime) -> SlowLane:
    since = lane.next.enqueued or now
    waited = max(timedelta(0), now - since)
    return SlowLane(lane.lane, lane.head.id, lane.head.handler, lane.waiting, waited)


def _running(
    job: JobView,
    now: datetime,
    told: Mapping[str, Mapping[str, float]],
    timeout_of: Callable[[str], timedelta] | None,
) -> RunningJob:
    limits = told.get(job.worker or "", {})
    seconds = limits.get(job.handler, limits.get("*"))
    timeout = timedelta(seconds=seconds) if seconds is not None else None
    if timeout is None and timeout_of is not None:
        timeout = timeout_of(job.handler)
    return RunningJob(
        job=job.id,
        handler=job.handler,
        project=job.project,
        worker=job.worker,
        attempt=job.attempts + 1,
        elapsed=None if job.started is None else max(timedelta(0), now - job.started),
        timeout=timeout,
        note="" if job.wait is None else job.wait.text,
    )


def _timeouts(worker: WorkerView) -> Mapping[str, float]:
    """What a worker says of its timeouts; nothing where it says nothing, or nonsense."""
    try:
        found: Any = json.loads(worker.facts.get("timeouts", "{}"))
        return {str(handler): float(seconds) for handler, seconds in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _plugins(
    stats: QueueStats, workers: Sequence[WorkerView], offered: Mapping[str, datetime]
) -> tuple[PluginStatus, ...]:
    counts: dict[str, dict[str, int]] = {}
    for name, count in stats.counters.items():
        ending, _, handler = name.partition(":")
        if ending in _ENDINGS and handler:
            of_plugin = counts.setdefault(handler.partition("#")[0], {})
            of_plugin[ending] = of_plugin.get(ending, 0) + count
    alive = [worker for worker in workers if worker.is_alive]
    slugs = sorted({*offered, *counts, *(slug for worker in alive for slug in worker.slugs)})
    return tuple(
        PluginStatus(
            slug=slug,
            workers=sum(slug in worker.slugs for worker in alive),
            offered=offered.get(slug),
            **{ending: counts.get(slug, {}).get(ending, 0) for ending in _ENDINGS},
        )
        for slug in slugs
    )
