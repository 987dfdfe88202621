"""The outcomes stream: following jobs to their end, and telling every end as it comes."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import ask
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import number, pairs, text, texts, when
from imbi_worker.queue.inspection.views import JobView, State

# Well below the socket's own timeout of 5 s; a job that never wrote an outcome is seen then.
_LOOK_AGAIN_MS = 1_000


@dataclass(frozen=True, slots=True)
class End:
    """A job as it ended once; *place* is where to go on from."""

    place: str
    job: JobView


async def newest_ends(inspection: Inspection, limit: int) -> tuple[End, ...]:
    """The last *limit* ends, the oldest of them first."""
    (found,) = await ask(inspection.redis, [("XREVRANGE", keys.OUTCOMES, "+", "-", "COUNT", limit)])
    return tuple(end for end in map(_end, reversed(found)) if end is not None)


async def coming_ends(inspection: Inspection, after: str | None) -> AsyncGenerator[End, None]:
    """Each end after the place *after*, or from now on, as it comes; without an end."""
    place = await _newest(inspection) if after is None else after
    while True:
        request = ("XREAD", "COUNT", 100, "BLOCK", _LOOK_AGAIN_MS, "STREAMS", keys.OUTCOMES, place)
        (found,) = await ask(inspection.redis, [request])
        for entry in found[0][1] if found else ():
            place = text(entry[0])
            end = _end(entry)
            if end is not None:
                yield end


def outcome_fields(raw: Any) -> dict[str, str]:
    """A stream entry's fields; redis-py gives a raw reply flat or as a map."""
    return texts(raw) if isinstance(raw, dict) else texts(dict(pairs(raw)))


def ended_view(facts: Mapping[str, str]) -> JobView | None:
    """A job as its outcome tells it; None where that names no end."""
    try:
        state = State(facts.get("state", ""))
    except ValueError:
        return None
    return JobView(
        id=facts.get("job", ""),
        handler=facts.get("handler", ""),
        state=state,
        project=facts.get("project", ""),
        plugin_id=None,
        delivery=facts.get("delivery", ""),
        lane="",
        seq=0,
        ordinal=0,
        attempts=number(facts.get("attempts")),
        crashes=0,
        run=number(facts.get("run")) or 1,
        enqueued=None,
        ended=when(facts.get("ended")),
        reason=facts.get("reason", ""),
        error=facts.get("error", ""),
        reported_as=facts.get("status", ""),
    )


def _end(entry: tuple[bytes, Any]) -> End | None:
    place, raw = entry
    view = ended_view(outcome_fields(raw))
    return None if view is None else End(text(place), view)


async def follow(inspection: Inspection, jobs: Sequence[str]) -> AsyncIterator[JobView]:
    """Each of *jobs* once, as it ends; a job that Redis does not know is left out.

    Runs until all have ended: bound it with ``asyncio.timeout``.
    """
    open_jobs = list(jobs)
    newest = await _newest(inspection)
    while open_jobs:
        views = await inspection.jobs(open_jobs)
        for id_ in list(open_jobs):
            view = views.get(id_)
            if view is None or view.state.is_terminal:
                open_jobs.remove(id_)
            if view is not None and view.state.is_terminal:
                yield view
        if open_jobs:
            newest = await _next(inspection, newest)


async def _newest(inspection: Inspection) -> str:
    """The stream's last id, so that no outcome between two looks is slept through."""
    (found,) = await ask(inspection.redis, [("XREVRANGE", keys.OUTCOMES, "+", "-", "COUNT", 1)])
    return found[0][0].decode() if found else "0-0"


async def _next(inspection: Inspection, newest: str) -> str:
    request = ("XREAD", "COUNT", 1_000, "BLOCK", _LOOK_AGAIN_MS, "STREAMS", keys.OUTCOMES, newest)
    (found,) = await ask(inspection.redis, [request])
    return found[0][1][-1][0].decode() if found else newest
