"""The engine with an action that does nothing, everything of the queue on."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from bench.work import EVENT, fill
from imbi_sdk.attempt import Limits, Succeeded, Verdict
from imbi_sdk.queue import ActionQueue, JobContext, Signer, Target, WebhookRule, keys
from imbi_sdk.queue.delivery import by_project_and_plugin
from imbi_worker.dispatch import Attempt
from imbi_worker.queue import Engine, EngineOptions, WorkerPlan, build_engine, connect

SIGNER = Signer([SecretStr("a signing key of the benchmark")])
HANDLER = "bench#nothing"


@dataclass
class NoDispatch:
    """Dispatch that decides at once; notes when it was asked."""

    asked: list[float] = field(default_factory=list)
    graph_down_until: datetime | None = None

    async def run(self, attempt: Attempt) -> Verdict:  # noqa: ARG002 - dispatch's signature
        self.asked.append(time.perf_counter())
        return Verdict(Succeeded(), timedelta())

    def limits(self, handler: str) -> Limits:  # noqa: ARG002 - dispatch's signature
        return Limits()


@asynccontextmanager
async def bench_engine(
    url: str, dispatch: NoDispatch, *, burst: bool
) -> AsyncIterator[tuple[Engine, ActionQueue]]:
    address = SecretStr(url)
    redis = connect(address, queue=keys.QUEUE)
    await redis.flushdb()
    plan = WorkerPlan(
        redis_url=address,
        slugs=["bench"],
        signer=SIGNER,
        accepts_unsigned=False,
        lane=by_project_and_plugin,
        options=EngineOptions(is_burst=burst),
    )
    engine = build_engine(redis, dispatch, plan)  # type: ignore[arg-type]  # dispatch by shape
    try:
        yield engine, ActionQueue(redis, signer=SIGNER)
    finally:
        await engine.close()


async def drain_no_ops(url: str, jobs: int) -> float:
    """Jobs per second from a full queue to an empty one."""
    dispatch = NoDispatch()
    async with bench_engine(url, dispatch, burst=True) as (engine, queue):
        await fill(queue, jobs, handler=HANDLER, plugin_id=None)
        begun = time.perf_counter()
        await engine.async_run()
        assert engine.endings == {"succeeded": jobs}
    return jobs / (dispatch.asked[-1] - begun)


async def enqueue_rate(url: str, jobs: int) -> float:
    """Jobs per second in deliveries of ten, one call after the other."""
    redis = connect(SecretStr(url), queue=keys.QUEUE)
    await redis.flushdb()
    queue = ActionQueue(redis, signer=SIGNER)
    begun = time.perf_counter()
    await fill(queue, jobs, handler=HANDLER, plugin_id=None)
    taken = time.perf_counter() - begun
    await redis.flushdb()
    await redis.aclose()
    return jobs / taken


async def idle_pick_up(url: str, count: int) -> tuple[float, float]:
    """Milliseconds from the call of enqueue to the action's first line: p50, p99."""
    dispatch = NoDispatch()
    taken = []
    async with bench_engine(url, dispatch, burst=False) as (engine, queue):
        task = asyncio.create_task(engine.async_run())
        for number in range(count):
            await asyncio.sleep(0.02)
            begun = time.perf_counter()
            await queue.enqueue_delivery(
                delivery=f"d{number}",
                webhook_id="w",
                event=EVENT,
                rules=[WebhookRule(handler=HANDLER)],
                targets=[Target(JobContext(project_id="p", project_slug="p", org_slug="o"))],
            )
            while len(dispatch.asked) <= number:  # noqa: ASYNC110 - a wake-up must not cost a poll
                await asyncio.sleep(0)
            taken.append((dispatch.asked[number] - begun) * 1000)
        engine.drain()
        await task
    cuts = statistics.quantiles(taken, n=100)
    return cuts[49], cuts[98]
