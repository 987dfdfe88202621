"""The queue at a glance: what runs, how many died, which plugins there are; in bounded reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import Command, ask
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import number, server_time, text, texts, when
from imbi_worker.queue.inspection.views import JobView, State

# A lease ends at its job's score. Longer ones than this are no lease anybody sets.
_LONGEST_LEASE = timedelta(minutes=1)
_LOOKED_AT = 5_000
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class AtWork:
    """Jobs under a lease: how many, and those that run for longest."""

    count: int
    longest: tuple[JobView, ...]


async def at_work(inspection: Inspection, *, limit: int) -> AtWork:
    """What runs now; retries that are due within a minute are looked at too, and left out."""
    (at,) = await ask(inspection.redis, [("TIME",)])
    now = int(server_time(at).timestamp() * 1000)
    until = now + int(_LONGEST_LEASE / timedelta(milliseconds=1))
    request = ("ZRANGEBYSCORE", inspection.queue, f"({now}", until, "LIMIT", 0, _LOOKED_AT)
    (found,) = await ask(inspection.redis, [request])
    ids = [text(id_) for id_ in found]
    begun: list[tuple[int, str]] = []
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        facts: list[Command] = [("HMGET", f"{keys.JOB}{id_}", "state", "started") for id_ in chunk]
        for id_, (state, started) in zip(chunk, await ask(inspection.redis, facts), strict=True):
            if state == b"running":
                begun.append((number(started), id_))
    views = await inspection.jobs([id_ for _, id_ in sorted(begun)[:limit]])
    running = tuple(view for view in views.values() if view.state is State.RUNNING)
    return AtWork(len(begun), running)


async def died_since(inspection: Inspection, moment: datetime) -> int:
    """How many of the dead letters died at or after *moment*."""
    start = int(moment.timestamp() * 1000)
    (count,) = await ask(inspection.redis, [("ZCOUNT", keys.DEAD, start, "+inf")])
    return int(count)


async def offers(inspection: Inspection) -> Mapping[str, datetime]:
    """Each plugin's slug, and when a worker last offered it."""
    (found,) = await ask(inspection.redis, [("HGETALL", "imbi:slugs")])
    told = {slug: when(at) for slug, at in texts(found).items()}
    return {slug: at for slug, at in told.items() if at is not None}
