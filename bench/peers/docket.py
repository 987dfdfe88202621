"""pydocket, tuned as arq is: a hundred at once, looked for every 20 ms."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import docket

from bench.harness import Work, main

OFTEN = timedelta(milliseconds=20)
NAME = "bench"
# redis-py 8.1 opens 100 connections at most, and a hundred jobs at once want more.
CONNECTIONS = "?max_connections=1000"


class _Producer:
    def __init__(self, queue: docket.Docket) -> None:
        self._queue = queue

    async def enqueue(self, payloads: Sequence[dict[str, Any]]) -> None:
        for body in payloads:
            await self._queue.add("act")(body)


class _Worker:
    def __init__(self, worker: docket.Worker) -> None:
        self._worker = worker

    async def run(self) -> None:
        await self._worker.run_forever()


class Pydocket:
    @asynccontextmanager
    async def producer(self, url: str, variant: str) -> AsyncIterator[_Producer]:  # noqa: ARG002 - as the others
        async def act(body: dict[str, Any]) -> None: ...

        async with docket.Docket(name=NAME, url=url + CONNECTIONS) as queue:
            queue.register(act)
            yield _Producer(queue)

    @asynccontextmanager
    async def worker(
        self,
        url: str,
        variant: str,  # noqa: ARG002 - as the others
        slots: int,
        work: Work,
    ) -> AsyncIterator[_Worker]:
        async def act(body: dict[str, Any]) -> None:
            await work(body)

        logging.disable(logging.INFO)
        async with docket.Docket(name=NAME, url=url + CONNECTIONS) as queue:
            queue.register(act)
            async with docket.Worker(
                queue,
                concurrency=slots,
                minimum_check_interval=OFTEN,
                scheduling_resolution=OFTEN,
            ) as worker:
                yield _Worker(worker)


if __name__ == "__main__":
    main(Pydocket())
