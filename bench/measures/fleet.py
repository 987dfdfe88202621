"""Many workers: recovery from a kill, claims and wake-ups for nothing, a long queue."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench.child import Child, ask, engine
from bench.crew import crew_of, progress
from bench.engines import CROWD, SHARED_EVENT, WHOLE_PATH, WIDE, Engine
from bench.stage import Stage
from imbi_sdk.queue import keys

VICTIMS = 5
CREW = 20
CLAIMED = 20_000
HUNDRED = 100


async def recovery_seconds(stage: Stage) -> list[float]:
    """From the kill -9 of a worker to the second start of its job elsewhere; one for each."""
    await stage.clear()
    rescue = WHOLE_PATH
    begun: dict[int, Child] = {}
    async with crew_of(stage, rescue, VICTIMS, slots=1) as victims:
        order = {"jobs": VICTIMS, "pause": 0.0, "sleep": 120.0, "tells": True}
        await ask(rescue, "produce", extra=stage.extra, url=stage.url, **order)
        for victim in victims:
            begun[(await victim.line())["began"]] = victim
        async with engine(rescue, "serve", extra=stage.extra, url=stage.url) as rescuer:
            await rescuer.line()
            killed: dict[int, float] = {}
            for number, victim in begun.items():
                killed[number] = time.perf_counter()
                victim.kill()
                # Spread over a renewal: the lease is as old as chance has it.
                await asyncio.sleep(5 / VICTIMS)
            again = [await rescuer.line() for _ in killed]
    return [line["at"] - killed[line["began"]] for line in again]


async def wasted_claims(stage: Stage, seconds: float) -> Mapping[str, float]:
    """Percent of the claims of 20 workers that gave nothing.

    ``queue``: while they work a queue off. ``single``: 200 jobs/s, each a delivery.
    ``tens``: the same, ten to a delivery.
    """
    await stage.clear()
    await ask(WIDE, "fill", url=stage.url, jobs=CLAIMED, sleep=0.05)
    async with crew_of(stage, WIDE, CREW, slots=10) as crew:
        spans = {"queue": await _span(stage, CLAIMED, 0)}
        worked = CLAIMED
        for name, width in (("single", 1), ("tens", 10)):
            calls = int(seconds * 200) // width
            order: dict[str, Any] = {"jobs": calls, "pause": 0.005 * width, "width": width}
            producing = asyncio.ensure_future(ask(WIDE, "produce", url=stage.url, **order))
            spans[name] = await _span(stage, calls * width, worked)
            await producing
            worked += calls * width
        for worker in crew:
            worker.end_input()
        told = [(await worker.line())["moments"] for worker in crew]
    return {name: _share(told, *span) for name, span in spans.items()}


async def _span(stage: Stage, jobs: int, before: int) -> tuple[float, float]:
    """When *jobs* were worked off, without the first and the last tenth; returns after all."""
    moments = []
    for tenths in (1, 9, 10):
        await progress(stage, jobs * tenths // 10, before)
        moments.append(time.perf_counter())
    return moments[0], moments[1]


def _share(told: Sequence[Mapping[str, Sequence[float]]], since: float, until: float) -> float:
    counts = {
        name: sum(since <= at <= until for moments in told for at in moments.get(name, ()))
        for name in ("claims", "empty claims")
    }
    return 100 * counts["empty claims"] / counts["claims"]


async def wake_ups(stage: Stage) -> float:
    """How many of a hundred idle workers one enqueue wakes."""
    await stage.clear()
    async with engine(CROWD, "serve", url=stage.url) as crowd:
        await crowd.line()
        while await stage.redis.zcard(keys.WORKERS) < HUNDRED:  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.1)
        await asyncio.sleep(3)
        begun = time.perf_counter()
        await ask(CROWD, "produce", url=stage.url, jobs=1)
        await asyncio.sleep(3)
        crowd.end_input()
        moments: Mapping[str, Sequence[float]] = (await crowd.line())["moments"]
    return sum(at > begun for at in moments["wake-ups"])


async def backlog_ratio(stage: Stage, waiting: int) -> tuple[float, float, float]:
    """Redis' CPU per job with a long queue and many workers, without, and the one by the other.

    Without is the cheapest there is: one worker, whose jobs end at once and so in full batches.
    """
    small = await _redis_cpu_per_job(stage, SHARED_EVENT, 20_000, 10_000, workers=1)
    jobs = min(20_000, waiting // 2)
    large = await _redis_cpu_per_job(stage, WIDE, waiting, jobs, workers=CREW, sleep=0.5)
    return large, small, large / small


async def _redis_cpu_per_job(
    stage: Stage, which: Engine, waiting: int, jobs: int, *, workers: int, sleep: float = 0.0
) -> float:
    """Microseconds, over *jobs* out of *waiting*, in *workers* times a hundred slots."""
    await stage.clear()
    await ask(which, "fill", url=stage.url, jobs=waiting, sleep=sleep)
    async with crew_of(stage, which, workers):
        first, cpu = await progress(stage, 100 * workers, 0)
        last, used = await progress(stage, jobs, first)
    return (used - cpu) / (last - first) * 1_000_000
