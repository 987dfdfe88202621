"""The lane whose next job has waited longest: the first sign of a head that does not end."""

from dataclasses import dataclass

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import Command, ask
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import text
from imbi_worker.queue.inspection.views import JobView

_PAGE = 1_000
_PAGES = 100


@dataclass(frozen=True, slots=True)
class WaitingLane:
    """A lane with jobs behind its head; *next* is the first of the *waiting* ones."""

    lane: str
    head: JobView
    next: JobView
    waiting: int


async def longest_waiting(inspection: Inspection) -> WaitingLane | None:
    """The lane in which a job waits that was enqueued before any other that waits so.

    None where no job waits behind another one. Jobs that are parked themselves lie
    among those that wait and are passed over, 100,000 of them at most.

    :raises QueueUnavailable: Redis does not answer
    :raises QueueError: Redis refused
    """
    for page in range(_PAGES):
        found = ("ZRANGEBYSCORE", inspection.queue, keys.FAR, "+inf", "LIMIT", page * _PAGE, _PAGE)
        (ids,) = await ask(inspection.redis, [found])
        facts: list[Command] = [("HMGET", f"{keys.JOB}{text(job)}", "state", "lane") for job in ids]
        for job, (state, lane) in zip(ids, await ask(inspection.redis, facts), strict=True):
            if state == b"waiting" and lane:
                return await _lane(inspection, text(lane), text(job))
        if len(ids) < _PAGE:
            return None
    return None


async def _lane(inspection: Inspection, lane: str, waits: str) -> WaitingLane | None:
    key = f"{keys.LANE}{lane}"
    heads, members = await ask(inspection.redis, [("ZRANGE", key, 0, 0), ("ZCARD", key)])
    leads = text(heads[0]) if heads else waits
    views = await inspection.jobs([leads, waits])
    if leads == waits or len(views) < 2:  # noqa: PLR2004 - the two of them
        # It has moved on between two looks.
        return None
    return WaitingLane(lane, views[leads], views[waits], members - 1)
