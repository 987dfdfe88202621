"""What is measured, one function for each kind of figure; every one begins with an empty Redis."""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from bench.child import Child, ask, child, engine
from bench.engines import CROWD, FLOOR, SHARED_EVENT, WHOLE_PATH, WIDE, Engine
from bench.server import Addresses, free_port
from imbi_sdk.queue import keys

VICTIMS = 5
CREW = 20
CLAIMED = 20_000
HUNDRED = 100
LARGE = 25_000_000


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the engines work; *extra* is the environment that the whole worker needs."""

    addresses: Addresses
    redis: "Redis"
    far: str
    extra: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.addresses.redis

    async def clear(self) -> None:
        await self.redis.flushall()

    async def ask(self, *command: Any) -> Any:
        redis: Any = self.redis
        return await redis.execute_command(*command)

    async def redis_cpu(self) -> float:
        """Seconds since its start."""
        info = await self.redis.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


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


async def recovery_seconds(stage: Stage) -> list[float]:
    """From the kill -9 of a worker to the second start of its job elsewhere; one for each."""
    await stage.clear()
    rescue = WHOLE_PATH
    begun: dict[int, Child] = {}
    async with _crew(stage, rescue, VICTIMS, slots=1) as victims:
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


@asynccontextmanager
async def _crew(
    stage: Stage, which: Engine, count: int, *, slots: int = 100
) -> AsyncIterator[list[Child]]:
    """*count* workers, all of them ready."""
    async with _workers(stage, which, count, slots) as workers:
        for worker in workers:
            await worker.line()
        yield workers


@asynccontextmanager
async def _workers(
    stage: Stage, which: Engine, count: int, slots: int
) -> AsyncIterator[list[Child]]:
    if not count:
        yield []
        return
    async with (
        engine(which, "serve", extra=stage.extra, url=stage.url, slots=slots) as worker,
        _workers(stage, which, count - 1, slots) as others,
    ):
        yield [worker, *others]


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
        found += sum(await pipe.execute())
        if not cursor:
            return found


async def wasted_claims(stage: Stage, seconds: float) -> Mapping[str, float]:
    """Percent of the claims of 20 workers that gave nothing.

    ``queue``: while they work a queue off. ``single``: 200 jobs/s, each a delivery.
    ``tens``: the same, ten to a delivery.
    """
    await stage.clear()
    await ask(WIDE, "fill", url=stage.url, jobs=CLAIMED, sleep=0.05)
    async with _crew(stage, WIDE, CREW, slots=10) as crew:
        spans = {"queue": await _span(stage, CLAIMED, 0)}
        worked = CLAIMED
        for name, width in (("single", 1), ("tens", 10)):
            calls = int(seconds * 200) // width
            order = {"jobs": calls, "pause": 0.005 * width, "width": width}
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
        await _progress(stage, jobs * tenths // 10, before)
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
        moments = (await crowd.line())["moments"]
    return sum(at > begun for at in moments["wake-ups"])


async def large_bodies(stage: Stage) -> float:
    """Megabytes beyond an idle worker's at the most, while 100 bodies of 25 MB are worked off."""
    await stage.clear()
    async with engine(WHOLE_PATH, "serve", extra=stage.extra, url=stage.url) as worker:
        await worker.line()
        # Plugins are loaded, credentials fetched.
        await ask(WHOLE_PATH, "produce", extra=stage.extra, url=stage.url, jobs=10)
        await _progress(stage, 10, 0)
        idle = worker.rss_mb()
        order = {"jobs": 100, "size": LARGE, "pause": 0.0, "sleep": 0.5}
        await ask(WHOLE_PATH, "produce", extra=stage.extra, url=stage.url, **order)
        await _progress(stage, 100, 10)
        return worker.rss_mb(is_most=True) - idle


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
    async with _crew(stage, which, workers):
        first, cpu = await _progress(stage, 100 * workers, 0)
        last, used = await _progress(stage, jobs, first)
    return (used - cpu) / (last - first) * 1_000_000


async def _progress(stage: Stage, jobs: int, since: int) -> tuple[int, float]:
    """How many jobs have succeeded and what CPU it took, once *jobs* more have."""
    while True:
        counters: dict[bytes, bytes] = await stage.ask("HGETALL", keys.COUNTERS)
        done = sum(int(n) for name, n in counters.items() if name.startswith(b"succeeded:"))
        if done >= since + jobs:
            return done, await stage.redis_cpu()
        await asyncio.sleep(0.2)


@asynccontextmanager
async def delayed(port: int) -> AsyncIterator[str]:
    """The address of a Redis that is 1 ms away."""
    front = free_port()
    words = ("bench.delay", f"--port={front}", f"--to={port}", "--milliseconds=1")
    async with child(FLOOR.python, *words) as proxy:
        await proxy.line()
        yield f"redis://127.0.0.1:{front}"


@asynccontextmanager
async def stand_in() -> AsyncIterator[Mapping[str, str]]:
    """The variables that lead a worker to a stand-in of Imbi's API."""
    token = secrets.token_hex(8)
    async with child(FLOOR.python, "bench.ours.stand_in", f"--token={token}") as api:
        url = str((await api.line())["ready"])
        yield {"ACTIONS_IMBI_URL": url, "ACTIONS_IMBI_TOKEN": token}
