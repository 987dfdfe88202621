"""SAQ on Redis, as many jobs at once as there are slots."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue, Worker

from bench.harness import Work, main


class _Producer:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def enqueue(self, payloads: Sequence[dict[str, Any]]) -> None:
        for body in payloads:
            await self._queue.enqueue("act", body=body)


class _Worker:
    def __init__(self, worker: Worker[Any]) -> None:
        self._worker = worker

    async def run(self) -> None:
        await self._worker.start()


class Saq:
    @asynccontextmanager
    async def producer(self, url: str, variant: str) -> AsyncIterator[_Producer]:  # noqa: ARG002 - as the others
        queue = Queue.from_url(url)
        await queue.connect()
        yield _Producer(queue)

    @asynccontextmanager
    async def worker(
        self,
        url: str,
        variant: str,  # noqa: ARG002 - as the others
        slots: int,
        work: Work,
    ) -> AsyncIterator[_Worker]:
        async def act(ctx: dict[str, Any], *, body: dict[str, Any]) -> None:  # noqa: ARG001 - SAQ's signature
            await work(body)

        queue = Queue.from_url(url)
        await queue.connect()
        yield _Worker(Worker(queue, functions=[("act", act)], concurrency=slots))


if __name__ == "__main__":
    main(Saq())
