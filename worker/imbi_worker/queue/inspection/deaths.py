"""Dead letters by the hundred thousand: of each only what groups and filters ask for.

A whole ``JobView`` of each cost more than all the rest together.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import Command, ask
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import number, pairs, text, when
from imbi_worker.queue.inspection.views import State

_CHUNK: Final = 1_000
_EVERY: Final = JobFilter()
_ALWAYS: Final = ("state", "handler", "ended", "reason", "error")
# Read where a filter asks for it, by the name of the filter's field.
_ON_DEMAND: Final = {
    "project": ("project",),
    "delivery": ("delivery",),
    "integration": ("plugin",),
    "least_attempts": ("attempts",),
    "most_attempts": ("attempts",),
}


class Death(NamedTuple):
    """A dead letter in a few words; what was not asked for is empty. Filters take it for a job."""

    id: str
    handler: str
    ended_ms: int
    reason: str
    error: str
    project: str = ""
    delivery: str = ""
    plugin_id: str | None = None
    attempts: int = 0

    @property
    def state(self) -> State:
        return State.DEAD

    @property
    def ended(self) -> datetime | None:
        return when(str(self.ended_ms))

    @property
    def enqueued(self) -> None:
        return None


async def deaths(
    inspection: Inspection,
    wanted: JobFilter = _EVERY,
    *,
    since: datetime | None = None,
    most: int | None = None,
) -> AsyncGenerator[tuple[Death, ...], None]:
    """Those that match, newest first, of a thousand at a time; *most* are looked at."""
    place, left = 0, most
    while left is None or left > 0:
        count = _CHUNK if left is None else min(_CHUNK, left)
        request = ("ZREVRANGE", keys.DEAD, place, place + count - 1, "WITHSCORES")
        (flat,) = await ask(inspection.redis, [request])
        found = [(text(id_), when(died)) for id_, died in pairs(flat)]
        ids = [id_ for id_, died in found if since is None or (died is not None and died >= since)]
        yield await deaths_of(inspection, ids, wanted)
        place += count
        left = None if left is None else left - count
        if len(found) < count or len(ids) < len(found):
            return


async def deaths_of(
    inspection: Inspection, ids: Sequence[str], wanted: JobFilter
) -> tuple[Death, ...]:
    """Those of *ids* that are dead and match, in their order; in one round trip."""
    extra = _asked_for(wanted)
    commands: list[Command] = [("HMGET", f"{keys.JOB}{id_}", *_ALWAYS, *extra) for id_ in ids]
    replies = await ask(inspection.redis, commands)
    found = [
        _death(id_, values, extra)
        for id_, values in zip(ids, replies, strict=True)
        if values[0] == b"dead"
    ]
    return tuple(found if wanted == _EVERY else filter(wanted.matches, found))


def _asked_for(wanted: JobFilter) -> tuple[str, ...]:
    asked = (names for field, names in _ON_DEMAND.items() if getattr(wanted, field) is not None)
    return tuple(dict.fromkeys(name for names in asked for name in names))


def _death(id_: str, values: Sequence[Any], extra: Sequence[str]) -> Death:
    _, handler, ended, reason, error, *rest = values
    death = Death(id_, text(handler), number(ended), text(reason), text(error))
    if not extra:
        return death
    told = dict(zip(extra, map(text, rest), strict=True))
    return death._replace(
        project=told.get("project", ""),
        delivery=told.get("delivery", ""),
        plugin_id=told.get("plugin") or None,
        attempts=number(told.get("attempts")),
    )
