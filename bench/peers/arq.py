"""arq 0.28, as it comes and tuned (``max_jobs=100, poll_delay=0.02``)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio import ConnectionPool

from bench.harness import Work, main


class _Producer:
    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def enqueue(self, payloads: Sequence[dict[str, Any]]) -> None:
        for body in payloads:
            await self._redis.enqueue_job("act", body)


class _Worker:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def run(self) -> None:
        await self._worker.async_run()


class Arq:
    @asynccontextmanager
    async def producer(self, url: str, variant: str) -> AsyncIterator[_Producer]:  # noqa: ARG002 - as the others
        yield _Producer(ArqRedis(ConnectionPool.from_url(url)))

    @asynccontextmanager
    async def worker(
        self, url: str, variant: str, slots: int, work: Work
    ) -> AsyncIterator[_Worker]:
        async def act(ctx: dict[str, Any], body: dict[str, Any]) -> None:  # noqa: ARG001 - arq's signature
            await work(body)

        tuned: dict[str, Any] = {"max_jobs": slots, "poll_delay": 0.02}
        yield _Worker(
            Worker(
                [func(act, name="act")],
                redis_pool=ArqRedis(ConnectionPool.from_url(url)),
                handle_signals=False,
                **({} if variant == "default" else tuned),
            )
        )


if __name__ == "__main__":
    main(Arq())
