"""What it takes: memory and calls of a worker, memory of Redis."""

import asyncio
from collections.abc import Mapping
from typing import Any

from bench.child import Child, ask, engine
from bench.crew import progress
from bench.engines import SHARED_EVENT, WHOLE_PATH, Engine
from bench.stage import Stage
from imbi_sdk.queue import keys

LARGE = 25_000_000


async def footprint(stage: Stage, which: Engine, seconds: float) -> Mapping[str, float]:
    """What a worker takes that has nothing to do, and its memory with 100 jobs at once."""
    await stage.clear()
    async with engine(which, "serve", extra=stage.extra, url=stage.url) as worker:
        await worker.line()
        await asyncio.sleep(2)
        return {
            "idle_rss_mb": worker.rss_mb(),
            "idle_commands": await _commands_per_second(stage, seconds),
            "busy_rss_mb": await _busy_rss(stage, which, worker),
        }


async def _commands_per_second(stage: Stage, seconds: float) -> float:
    """As the worker sends them; what its scripts call is not counted."""
    count = 0
    async with stage.redis.monitor() as monitor:

        async def listen() -> None:
            nonlocal count
            async for command in monitor.listen():
                count += command["client_type"] != "lua"

        try:
            async with asyncio.timeout(seconds):
                await listen()
        except TimeoutError:
            pass
    return count / seconds


async def _busy_rss(stage: Stage, which: Engine, worker: Child) -> float:
    """The most while 100 jobs with their 2 KiB run."""
    order = {"jobs": 100, "pause": 0.0, "sleep": 2.0}
    await ask(which, "produce", extra=stage.extra, url=stage.url, **order)
    most = 0.0
    for _ in range(20):
        most = max(most, worker.rss_mb())
        await asyncio.sleep(0.1)
    return most


async def large_bodies(stage: Stage) -> float:
    """Megabytes beyond an idle worker's at the most, while 100 bodies of 25 MB are worked off."""
    await stage.clear()
    async with engine(WHOLE_PATH, "serve", extra=stage.extra, url=stage.url) as worker:
        await worker.line()
        # Plugins are loaded, credentials fetched.
        await ask(WHOLE_PATH, "produce", extra=stage.extra, url=stage.url, jobs=10)
        await progress(stage, 10, 0)
        idle = worker.rss_mb()
        order = {"jobs": 100, "size": LARGE, "pause": 0.0, "sleep": 0.5}
        await ask(WHOLE_PATH, "produce", extra=stage.extra, url=stage.url, **order)
        await progress(stage, 100, 10)
        return worker.rss_mb(is_most=True) - idle


async def waiting_bytes(stage: Stage, jobs: int) -> float:
    """What a waiting job takes in Redis beyond the bytes of its body and its part of the event."""
    await stage.clear()
    before = (await stage.redis.info("memory"))["used_memory"]
    await ask(SHARED_EVENT, "fill", url=stage.url, jobs=jobs)
    after = (await stage.redis.info("memory"))["used_memory"]
    bodies = await _sum(stage, keys.BODY, "return redis.call('STRLEN', KEYS[1])")
    events = await _sum(stage, keys.EVENT, _WEIGH_EVENTS)
    return float(after - before - bodies - events) / jobs


_WEIGH_EVENTS = """
local sum = 0
for _, event in ipairs(redis.call('HVALS', KEYS[1])) do sum = sum + #event end
return sum
"""


async def _sum(stage: Stage, prefix: str, script: str) -> int:
    """What *script* answers for each key, asked in batches."""
    found, cursor = 0, 0
    while True:
        cursor, names = await stage.redis.scan(cursor, match=f"{prefix}*", count=1000)
        pipe: Any = stage.redis.pipeline(transaction=False)
        for name in names:
            pipe.eval(script, 1, name)
        found += int(sum(await pipe.execute()))
        if not cursor:
            return found
