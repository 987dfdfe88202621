"""Lists with cursors over the queue's indexes: no KEYS, no SCAN.

    jobs, no state       the queue (waiting, running), then what ended, newest first
    jobs of one state    the index that holds it
    jobs of a delivery   the delivery's record
    dead letters         ``imbi:dead``, newest first

A cursor reads ``<index>:<place>``. Between two pages jobs move: one may be shown twice,
none that stayed where it was is left out.
"""

from collections.abc import Sequence

from imbi_sdk.queue import keys
from imbi_worker.queue.errors import InvalidCursor
from imbi_worker.queue.inspection.asking import ask
from imbi_worker.queue.inspection.indexes import (
    LOOKED_AT,
    DeadLetters,
    Ended,
    Index,
    OfDelivery,
    Ranked,
)
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import text
from imbi_worker.queue.inspection.views import (
    DeadLetterView,
    DeliveryView,
    JobView,
    Page,
    State,
)

_CHUNK = 200
_LARGE_CHUNK = 1_000
# More deliveries than are kept.
_DIGITS = 6


class Listing:
    """The lists of one queue."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection

    async def jobs(
        self, wanted: JobFilter, *, limit: int, cursor: str | None = None
    ) -> Page[JobView]:
        """A page of jobs.

        :raises InvalidCursor: *cursor* is from another list, or from nowhere
        """
        indexes = self._indexes(wanted)
        first, place = _parse(cursor, indexes)
        found: list[JobView] = []
        looked_at, count = 0, _CHUNK
        for nth in range(first, len(indexes)):
            index = indexes[nth]
            while True:
                entries = await index.after(place, count)
                for entry in entries:
                    place = entry.place
                    if entry.job is not None and wanted.matches(entry.job):
                        found.append(entry.job)
                    if len(found) == limit:
                        return await self._page(found, indexes[nth:], place, wanted)
                looked_at += len(entries)
                if looked_at >= LOOKED_AT:
                    return await self._page(found, indexes[nth:], place, wanted)
                if len(entries) < count:
                    break
                # Where little matches, fewer round trips.
                count = _LARGE_CHUNK
            place = ""
        return Page(_once(found), None, 0, is_exact=True)

    async def dead_letters(
        self, wanted: JobFilter, *, limit: int, cursor: str | None = None
    ) -> Page[DeadLetterView]:
        """A page of dead letters, newest first."""
        page = await self.jobs(wanted, limit=limit, cursor=cursor)
        letters = await self._inspection.dead_letters([job.id for job in page.items])
        return Page(tuple(letters.values()), page.cursor, page.remaining, page.is_exact)

    async def deliveries(self, *, limit: int, cursor: str | None = None) -> Page[DeliveryView]:
        """A page of deliveries, newest first; its cursor counts those before it.

        :raises InvalidCursor: *cursor* is from another list, or from nowhere
        """
        start = _parse_number(cursor)
        redis = self._inspection.redis
        size, ids = await ask(
            redis,
            [
                ("ZCARD", keys.DELIVERIES),
                ("ZREVRANGE", keys.DELIVERIES, start, start + limit - 1),
            ],
        )
        views = [await self._inspection.delivery(text(id_)) for id_ in ids]
        remaining = max(0, int(size) - start - len(ids))
        following = f"deliveries:{start + len(ids)}" if remaining and ids else None
        return Page(tuple(v for v in views if v is not None), following, remaining, is_exact=True)

    def _indexes(self, wanted: JobFilter) -> list[Index]:
        inspection = self._inspection
        queue = Ranked(inspection, "queue", inspection.queue, reverse=False)
        dead = DeadLetters(inspection, wanted)
        if wanted.delivery is not None:
            return [OfDelivery(inspection, wanted.delivery)]
        match wanted.state:
            case None:
                return [queue, Ended(inspection)]
            case State.WAITING | State.RUNNING:
                return [queue]
            case State.DEAD:
                return [dead]
            case _:
                return [Ended(inspection)]

    async def _page(
        self, found: list[JobView], indexes: Sequence[Index], place: str, wanted: JobFilter
    ) -> Page[JobView]:
        here, *later = indexes
        remaining = await here.left(place) + sum([await index.left("") for index in later])
        cursor = f"{here.name}:{place}" if remaining else None
        # One index holds one state only in the case of dead letters and deliveries.
        is_pure = here.name in {"dead", "delivery"} or (here.name == "queue" and not later)
        is_whole = wanted.state in {None, State.DEAD} or here.name == "dead"
        is_exact = is_pure and is_whole and not wanted.has_conditions
        return Page(_once(found), cursor, remaining, is_exact=is_exact or not remaining)


def _parse(cursor: str | None, indexes: Sequence[Index]) -> tuple[int, str]:
    if cursor is None:
        return 0, ""
    name, separator, place = cursor.partition(":")
    for nth, index in enumerate(indexes):
        if separator and index.name == name:
            return nth, place
    raise InvalidCursor(f"{cursor[:80]!r} is no cursor of this list")


def _parse_number(cursor: str | None) -> int:
    """Where a page of deliveries begins."""
    if cursor is None:
        return 0
    name, _, place = cursor.partition(":")
    if name != "deliveries" or not place.isascii() or not place.isdigit() or len(place) > _DIGITS:
        raise InvalidCursor(f"{cursor[:80]!r} is no cursor of this list")
    return int(place)


def _once(found: Sequence[JobView]) -> tuple[JobView, ...]:
    """A job that ended twice is one job."""
    return tuple({job.id: job for job in reversed(found)}.values())[::-1]
