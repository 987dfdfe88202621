"""Following jobs to their end over the outcomes stream: woken by it, told by the hashes."""

from collections.abc import AsyncIterator, Sequence

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.reading import ask
from imbi_worker.queue.inspection.views import JobView

# Well below the socket's own timeout of 5 s; a job that never wrote an outcome is seen then.
_LOOK_AGAIN_MS = 1_000


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
