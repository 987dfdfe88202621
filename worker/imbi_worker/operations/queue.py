"""The queue as a whole: its figures, and its drain."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta

from imbi_worker.operations.errors import operation_errors
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.running import running, still_running
from imbi_worker.queue.inspection.views import HoldView, QueueStats

_LOOK_AGAIN = 0.5


@dataclass(frozen=True, slots=True)
class QueueReport:
    """The queue in figures, with its holds. *running* counts every job under a lease."""

    stats: QueueStats
    running: int
    parked: int
    oldest_due: timedelta | None
    holds: tuple[HoldView, ...]


async def report(inspection: Inspection) -> QueueReport:
    """The figures of one moment.

    :raises Unavailable: Redis does not answer
    """
    with operation_errors():
        stats = await inspection.stats()
        holds = await inspection.holds()
        leased = await running(inspection)
        oldest = await inspection.oldest_due()
    return QueueReport(
        stats=stats,
        running=len(leased),
        parked=sum(hold.parked for hold in holds),
        oldest_due=None if oldest is None else max(timedelta(0), stats.at - oldest),
        holds=holds,
    )


async def drained(inspection: Inspection) -> AsyncGenerator[int, None]:
    """How many jobs run still, each time that changes, down to 0.

    Call it when the queue is held: then nothing begins that it has not seen.
    """
    with operation_errors():
        left = await running(inspection)
    yield len(left)
    while left:
        await asyncio.sleep(_LOOK_AGAIN)
        with operation_errors():
            now = await still_running(inspection, sorted(left))
        if len(now) != len(left):
            yield len(now)
        left = now
