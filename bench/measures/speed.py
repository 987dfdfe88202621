"""How fast: jobs drained, jobs enqueued, and how soon an idle worker begins."""

import asyncio
import statistics
from collections.abc import Mapping

from bench.child import ask, engine
from bench.engines import Engine
from bench.stage import Stage


async def drain(
    stage: Stage, which: Engine, jobs: int, *, sleep: float = 0.0, is_far: bool = False
) -> Mapping[str, float]:
    """``jobs_per_s`` and ``cpu_us``. Far: the worker's Redis is 1 ms away, the producer's not."""
    await stage.clear()
    url = stage.far if is_far else stage.url
    return await ask(
        which, "drain", extra=stage.extra, url=url, fill_url=stage.url, jobs=jobs, sleep=sleep
    )


async def enqueue_rate(stage: Stage, which: Engine, jobs: int) -> float:
    await stage.clear()
    answer = await ask(which, "enqueue", url=stage.url, jobs=jobs)
    return float(answer["jobs_per_s"])


async def pick_up(stage: Stage, which: Engine, seconds: float) -> Mapping[str, float]:
    """Milliseconds from the call of enqueue to the action: in a trickle, and at 200 jobs/s."""
    await stage.clear()
    async with engine(which, "serve", extra=stage.extra, url=stage.url) as worker:
        await worker.line()
        await asyncio.sleep(1)
        # A first second for nobody's figures: plugins load, credentials are fetched.
        for phase, pause, lasts in (
            ("", 0.05, 1),
            ("idle", 0.025, seconds),
            ("steady", 0.005, seconds),
        ):
            order = {"phase": phase, "jobs": int(lasts / pause), "pause": pause}
            await ask(which, "produce", extra=stage.extra, url=stage.url, **order)
            await asyncio.sleep(0.5)
        worker.end_input()
        answer = await worker.line()
    found = {}
    for name, latencies in answer["latencies"].items():
        cuts = statistics.quantiles(latencies, n=100)
        found[f"{name}_p50_ms"], found[f"{name}_p99_ms"] = cuts[49], cuts[98]
    return found
