"""The indexes that lists walk along: zsets, the outcomes stream, a delivery's record.

Each gives its members from a *place* on, which is "" at the beginning and else stands in an
``Entry``. A job may move between two looks; what stayed where it was is found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import ask
from imbi_worker.queue.inspection.deaths import deaths_of
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.outcomes import ended_view, outcome_fields
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import number, pairs, text
from imbi_worker.queue.inspection.views import JobView

# What a page may look at: a filter that hits nothing gives up here, with a cursor to go on from.
LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of an index: where it stands, and the job if Redis still knows it."""

    place: str
    job: JobView | None


class Index(Protocol):
    name: str

    async def after(self, place: str, count: int) -> Sequence[Entry]:
        """The next members; fewer than *count* at the end."""
        ...

    async def left(self, place: str) -> int:
        """How many members come after *place*."""
        ...


class Ranked:
    """A zset of job ids: the queue by time, or the dead letters from the newest on."""

    def __init__(self, inspection: Inspection, name: str, key: str, *, reverse: bool) -> None:
        self.name = name
        self._inspection = inspection
        self._key = key
        self._reverse = reverse

    async def after(self, place: str, count: int) -> Sequence[Entry]:
        start = await self._rank(place)
        command = "ZREVRANGE" if self._reverse else "ZRANGE"
        request = (command, self._key, start, start + count - 1, "WITHSCORES")
        (flat,) = await ask(self._inspection.redis, [request])
        found = [(text(id_), number(score)) for id_, score in pairs(flat)]
        views = await self._views([id_ for id_, _ in found])
        return [Entry(f"{score}/{id_}", views.get(id_)) for id_, score in found]

    async def left(self, place: str) -> int:
        (size,) = await ask(self._inspection.redis, [("ZCARD", self._key)])
        return max(0, int(size) - await self._rank(place))

    async def _views(self, ids: Sequence[str]) -> Mapping[str, JobView]:
        return await self._inspection.jobs(ids)

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


class DeadLetters(Ranked):
    """The dead letters, newest first; whole jobs are read of those alone that match."""

    def __init__(self, inspection: Inspection, wanted: JobFilter) -> None:
        super().__init__(inspection, "dead", keys.DEAD, reverse=True)
        self._wanted = wanted

    async def _views(self, ids: Sequence[str]) -> Mapping[str, JobView]:
        found = await deaths_of(self._inspection, ids, self._wanted)
        return await super()._views([one.id for one in found])


class Ended:
    """The outcomes stream, newest first; one entry for each time a job ended."""

    name = "ended"

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection

    async def after(self, place: str, count: int) -> Sequence[Entry]:
        end = f"({place}" if place else "+"
        (found,) = await ask(
            self._inspection.redis, [("XREVRANGE", keys.OUTCOMES, end, "-", "COUNT", count)]
        )
        entries = [(text(place), outcome_fields(raw)) for place, raw in found]
        views = await self._inspection.jobs([facts.get("job", "") for _, facts in entries])
        return [Entry(place, _as_it_ended(facts, views)) for place, facts in entries]

    async def left(self, place: str) -> int:
        if not place:
            (size,) = await ask(self._inspection.redis, [("XLEN", keys.OUTCOMES)])
            return int(size)
        # Streams keep no ranks; counted up to what a page may look at.
        (found,) = await ask(
            self._inspection.redis,
            [("XREVRANGE", keys.OUTCOMES, f"({place}", "-", "COUNT", LOOKED_AT)],
        )
        return len(found)


class OfDelivery:
    """The jobs of one delivery, by project and the order of its rules."""

    name = "delivery"

    def __init__(self, inspection: Inspection, delivery: str) -> None:
        self._inspection = inspection
        self._delivery = delivery

    async def after(self, place: str, count: int) -> Sequence[Entry]:
        start = number(place)
        views = (await self._views())[start : start + count]
        return [Entry(str(start + nth), view) for nth, view in enumerate(views, 1)]

    async def left(self, place: str) -> int:
        return max(0, len(await self._views()) - number(place))

    async def _views(self) -> list[JobView]:
        record = await self._inspection.delivery(self._delivery)
        ids = list(record.jobs) if record is not None else []
        views = await self._inspection.jobs(ids)
        return sorted(views.values(), key=lambda job: (job.project, job.ordinal, job.seq))


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
