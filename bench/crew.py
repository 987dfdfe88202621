"""Many workers at once, and how far they have come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.child import Child, engine
from bench.engines import Engine
from bench.stage import Stage
from imbi_sdk.queue import keys


@asynccontextmanager
async def crew_of(
    stage: Stage, which: Engine, count: int, *, slots: int = 100
) -> AsyncIterator[list[Child]]:
    """*count* workers, all of them ready."""
    async with AsyncExitStack() as doors:
        workers = [
            await doors.enter_async_context(
                engine(which, "serve", extra=stage.extra, url=stage.url, slots=slots)
            )
            for _ in range(count)
        ]
        for worker in workers:
            await worker.line()
        yield workers


async def progress(stage: Stage, jobs: int, since: int) -> tuple[int, float]:
    """How many jobs have succeeded and what CPU it took, once *jobs* more have."""
    while True:
        counters: dict[bytes, bytes] = await stage.ask("HGETALL", keys.COUNTERS)
        done = sum(int(n) for name, n in counters.items() if name.startswith(b"succeeded:"))
        if done >= since + jobs:
            return done, await stage.redis_cpu()
        await asyncio.sleep(0.2)
