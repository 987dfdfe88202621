"""The peer: arq 0.28 as it is, tuned (``max_jobs=100, poll_delay=0.02``)."""

import time
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio import ConnectionPool

from bench.work import EVENT


async def no_op(ctx: dict[str, Any], event: dict[str, Any]) -> None:
    """Nothing."""


async def drain_with_arq(url: str, jobs: int) -> float:
    """Jobs per second from a full queue to an empty one."""
    redis = ArqRedis(ConnectionPool.from_url(url))
    await redis.flushdb()
    for _ in range(jobs):
        await redis.enqueue_job("no_op", EVENT)
    worker = Worker(
        [func(no_op, name="no_op")],
        redis_pool=redis,
        burst=True,
        handle_signals=False,
        max_jobs=100,
        poll_delay=0.02,
    )
    begun = time.perf_counter()
    await worker.async_run()
    taken = time.perf_counter() - begun
    assert worker.jobs_complete == jobs
    await redis.connection_pool.disconnect()
    return jobs / taken
