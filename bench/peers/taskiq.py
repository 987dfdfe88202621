"""taskiq with taskiq-redis: lists, with results or without (``no-result``), and ``stream``."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from taskiq.api import run_receiver_task
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from bench.harness import Work, main


def _broker(url: str, variant: str) -> ListQueueBroker | RedisStreamBroker:
    if variant == "no-result":
        return ListQueueBroker(url)
    results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(url, result_ex_time=86_400)
    if variant == "stream":
        stream = RedisStreamBroker(url)
        stream.result_backend = results
        return stream
    lists = ListQueueBroker(url)
    lists.result_backend = results
    return lists


class _Producer:
    def __init__(self, act: Any) -> None:
        self._act = act

    async def enqueue(self, payloads: Sequence[dict[str, Any]]) -> None:
        for body in payloads:
            await self._act.kiq(body)


class _Worker:
    def __init__(self, broker: ListQueueBroker | RedisStreamBroker, slots: int) -> None:
        self._broker, self._slots = broker, slots

    async def run(self) -> None:
        await run_receiver_task(self._broker, max_async_tasks=self._slots, run_startup=True)


class Taskiq:
    @asynccontextmanager
    async def producer(self, url: str, variant: str) -> AsyncIterator[_Producer]:
        broker = _broker(url, variant)

        @broker.task(task_name="act")
        async def act(body: dict[str, Any]) -> None: ...

        await broker.startup()
        yield _Producer(act)

    @asynccontextmanager
    async def worker(
        self, url: str, variant: str, slots: int, work: Work
    ) -> AsyncIterator[_Worker]:
        logging.disable(logging.INFO)
        broker = _broker(url, variant)

        @broker.task(task_name="act")
        async def act(body: dict[str, Any]) -> None:
            await work(body)

        yield _Worker(broker, slots)


if __name__ == "__main__":
    main(Taskiq())
