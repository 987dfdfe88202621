"""What runs: the leased jobs, and which of them still do."""

from collections.abc import Sequence

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import ask
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import server_time, text

_CHUNK = 1_000


async def running(inspection: Inspection) -> set[str]:
    """The ids of all jobs under a live lease, as of one moment."""
    (at,) = await ask(inspection.redis, [("TIME",)])
    now = int(server_time(at).timestamp() * 1000)
    # A lease ends later than now. In one call: between two of them a job could slip through.
    request = ("ZRANGEBYSCORE", inspection.queue, f"({now}", f"({keys.FAR}")
    (ids,) = await ask(inspection.redis, [request])
    return await still_running(inspection, [text(id_) for id_ in ids])


async def still_running(inspection: Inspection, jobs: Sequence[str]) -> set[str]:
    """Those of *jobs* that run now."""
    found: set[str] = set()
    for start in range(0, len(jobs), _CHUNK):
        chunk = jobs[start : start + _CHUNK]
        commands = [("HGET", f"{keys.JOB}{job}", "state") for job in chunk]
        states = await ask(inspection.redis, commands)
        found.update(job for job, state in zip(chunk, states, strict=True) if state == b"running")
    return found
