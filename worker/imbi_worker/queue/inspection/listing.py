"""Lists with cursors over the queue's indexes: no KEYS, no SCAN.

    jobs, no state       the queue (waiting, running), then what ended, newest first
    jobs of one state    the index that holds it
    jobs of a delivery   the delivery's record
    dead letters         ``imbi:dead``, newest first

A cursor reads ``<index>:<place>``. Between two pages jobs move: one may be shown twice,
none that stayed where it was is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Protocol

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.outcomes import ended_view, outcome_fields
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.reading import ask, number, pairs, text
from imbi_worker.queue.inspection.views import DeadLetterView, DeliveryView, JobView, Page, State

_CHUNK = 200
# A filter that hits nothing gives up here, with a cursor to go on from.
_LOOKED_AT = 20_000
# More deliveries than are kept.
_DIGITS = 6


class InvalidCursor(ValueError):  # noqa: N818 - reads as what it is at the call
    """A cursor that no list of ours gave out."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What to list; what is None does not matter.

    *handler* is a handler or a plugin's slug, which stands for all of it; *integration* is a
    plugin id. *before* and *after* bound the moment a job's age counts from: its end, or its
    enqueueing while it has not ended.
    """

    state: State | None = None
    handler: str | None = None
    project: str | None = None
    delivery: str | None = None
    reason: str | None = None
    plugin: str | None = None
    integration: str | None = None
    before: datetime | None = None
    after: datetime | None = None
    least_attempts: int | None = None
    most_attempts: int | None = None

    def matches(self, job: JobView) -> bool:
        handler, slug = job.handler, job.handler.partition("#")[0]
        return (
            self.state in (None, job.state)
            and self.handler in (None, handler, slug)
            and self.plugin in (None, slug)
            and self.project in (None, job.project)
            and self.delivery in (None, job.delivery)
            and self.integration in (None, job.plugin_id)
            and self._matches_attempts(job)
            and self._matches_age(job)
            and self._matches_reason(job)
        )

    def _matches_attempts(self, job: JobView) -> bool:
        least, most = self.least_attempts, self.most_attempts
        return (least is None or job.attempts >= least) and (most is None or job.attempts <= most)

    def _matches_age(self, job: JobView) -> bool:
        if self.before is None and self.after is None:
            return True
        since = job.ended if job.state.is_terminal else job.enqueued
        if since is None:
            return False
        return (self.before is None or since < self.before) and (
            self.after is None or since > self.after
        )

    def _matches_reason(self, job: JobView) -> bool:
        if self.reason is None:
            return True
        return self.reason.casefold() in f"{job.reason}: {job.error}".casefold()

    @property
    def has_conditions(self) -> bool:
        """Whether it asks for more than an index knows: a state, a delivery."""
        return any(
            getattr(self, one.name) is not None
            for one in fields(self)
            if one.name not in {"state", "delivery"}
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One member of an index: where it stands, and the job if Redis still knows it."""

    place: str
    job: JobView | None


class _Index(Protocol):
    name: str

    async def after(self, place: str, count: int) -> Sequence[_Entry]:
        """The next members; fewer than *count* at the end."""
        ...

    async def left(self, place: str) -> int:
        """How many members come after *place*."""
        ...


class _Ranked:
    """A zset of job ids: the queue by time, or the dead letters from the newest on."""

    def __init__(self, inspection: Inspection, name: str, key: str, *, reverse: bool) -> None:
        self.name = name
        self._inspection = inspection
        self._key = key
        self._reverse = reverse

    async def after(self, place: str, count: int) -> Sequence[_Entry]:
        start = await self._rank(place)
        command = "ZREVRANGE" if self._reverse else "ZRANGE"
        request = (command, self._key, start, start + count - 1, "WITHSCORES")
        (flat,) = await ask(self._inspection.redis, [request])
        found = [(text(id_), number(score)) for id_, score in pairs(flat)]
        views = await self._inspection.jobs([id_ for id_, _ in found])
        return [_Entry(f"{score}/{id_}", views.get(id_)) for id_, score in found]

    async def left(self, place: str) -> int:
        (size,) = await ask(self._inspection.redis, [("ZCARD", self._key)])
        return max(0, int(size) - await self._rank(place))

    async def _rank(self, place: str) -> int:
        """The rank to go on from; by score when the job has moved meanwhile."""
        if not place:
            return 0
        score, _, id_ = place.partition("/")
        rank_of = "ZREVRANK" if self._reverse else "ZRANK"
        span = (f"({number(score)}", "+inf") if self._reverse else ("-inf", f"({number(score)}")
        standing, rank, passed = await ask(
            self._inspection.redis,
            [
                ("ZSCORE", self._key, id_),
                (rank_of, self._key, id_),
                ("ZCOUNT", self._key, *span),
            ],
        )
        if rank is not None and number(standing) == number(score):
            return int(rank) + 1
        return int(passed)


class _Ended:
    """The outcomes stream, newest first; one entry for each time a job ended."""

    name = "ended"

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection

    async def after(self, place: str, count: int) -> Sequence[_Entry]:
        end = f"({place}" if place else "+"
        (found,) = await ask(
            self._inspection.redis, [("XREVRANGE", keys.OUTCOMES, end, "-", "COUNT", count)]
        )
        entries = [(text(place), outcome_fields(raw)) for place, raw in found]
        views = await self._inspection.jobs([facts.get("job", "") for _, facts in entries])
        return [_Entry(place, _as_it_ended(facts, views)) for place, facts in entries]

    async def left(self, place: str) -> int:
        if not place:
            (size,) = await ask(self._inspection.redis, [("XLEN", keys.OUTCOMES)])
            return int(size)
        # Streams keep no ranks; counted up to what a page may look at.
        (found,) = await ask(
            self._inspection.redis,
            [("XREVRANGE", keys.OUTCOMES, f"({place}", "-", "COUNT", _LOOKED_AT)],
        )
        return len(found)


class _OfDelivery:
    """The jobs of one delivery, by project and the order of its rules."""

    name = "delivery"

    def __init__(self, inspection: Inspection, delivery: str) -> None:
        self._inspection = inspection
        self._delivery = delivery

    async def after(self, place: str, count: int) -> Sequence[_Entry]:
        start = number(place)
        views = (await self._views())[start : start + count]
        return [_Entry(str(start + nth), view) for nth, view in enumerate(views, 1)]

    async def left(self, place: str) -> int:
        return max(0, len(await self._views()) - number(place))

    async def _views(self) -> list[JobView]:
        record = await self._inspection.delivery(self._delivery)
        ids = list(record.jobs) if record is not None else []
        views = await self._inspection.jobs(ids)
        return sorted(views.values(), key=lambda job: (job.project, job.ordinal, job.seq))


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
        looked_at = 0
        for nth in range(first, len(indexes)):
            index = indexes[nth]
            while True:
                entries = await index.after(place, _CHUNK)
                for entry in entries:
                    place = entry.place
                    if entry.job is not None and wanted.matches(entry.job):
                        found.append(entry.job)
                    if len(found) == limit:
                        return await self._page(found, indexes[nth:], place, wanted)
                looked_at += len(entries)
                if looked_at >= _LOOKED_AT:
                    return await self._page(found, indexes[nth:], place, wanted)
                if len(entries) < _CHUNK:
                    break
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

    def _indexes(self, wanted: JobFilter) -> list[_Index]:
        inspection = self._inspection
        queue = _Ranked(inspection, "queue", inspection.queue, reverse=False)
        dead = _Ranked(inspection, "dead", keys.DEAD, reverse=True)
        if wanted.delivery is not None:
            return [_OfDelivery(inspection, wanted.delivery)]
        match wanted.state:
            case None:
                return [queue, _Ended(inspection)]
            case State.WAITING | State.RUNNING:
                return [queue]
            case State.DEAD:
                return [dead]
            case _:
                return [_Ended(inspection)]

    async def _page(
        self, found: list[JobView], indexes: Sequence[_Index], place: str, wanted: JobFilter
    ) -> Page[JobView]:
        here, *later = indexes
        remaining = await here.left(place) + sum([await index.left("") for index in later])
        cursor = f"{here.name}:{place}" if remaining else None
        # One index holds one state only in the case of dead letters and deliveries.
        is_pure = here.name in {"dead", "delivery"} or (here.name == "queue" and not later)
        is_whole = wanted.state in {None, State.DEAD} or here.name == "dead"
        is_exact = is_pure and is_whole and not wanted.has_conditions
        return Page(_once(found), cursor, remaining, is_exact=is_exact or not remaining)


def _parse(cursor: str | None, indexes: Sequence[_Index]) -> tuple[int, str]:
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


def _as_it_ended(facts: dict[str, str], known: dict[str, JobView]) -> JobView | None:
    """The job as it is now, or as its last outcome tells when its hash has expired.

    None for an entry that is out of date: the job has been run again since.
    """
    id_ = facts.get("job", "")
    if id_ in known:
        view = known[id_]
        is_current = view.state.is_terminal and view.run == (number(facts.get("run")) or 1)
        return view if is_current else None
    return ended_view(facts)
