"""streaQ: streams, pickles, a pipeline for many jobs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from streaq import Worker

from bench.harness import Work, main


def _worker(url: str, slots: int, work: Work | None) -> tuple[Worker[Any], Any]:
    worker: Worker[Any] = Worker(redis_url=url, concurrency=slots, handle_signals=False)

    @worker.task(name="act")
    async def act(body: dict[str, Any]) -> None:
        if work is not None:
            await work(body)

    return worker, act


class _Producer:
    def __init__(self, worker: Worker[Any], act: Any) -> None:
        self._worker, self._act = worker, act

    async def enqueue(self, payloads: Sequence[dict[str, Any]]) -> None:
        if len(payloads) == 1:
            await self._act.enqueue(payloads[0])
        else:
            await self._worker.enqueue_many([self._act.enqueue(body) for body in payloads])


class _Worker:
    def __init__(self, worker: Worker[Any]) -> None:
        self._worker = worker

    async def run(self) -> None:
        await self._worker.run_async()


class Streaq:
    @asynccontextmanager
    async def producer(self, url: str, variant: str) -> AsyncIterator[_Producer]:  # noqa: ARG002 - as the others
        worker, act = _worker(url, 1, None)
        async with worker:
            yield _Producer(worker, act)

    @asynccontextmanager
    async def worker(
        self,
        url: str,
        variant: str,  # noqa: ARG002 - as the others
        slots: int,
        work: Work,
    ) -> AsyncIterator[_Worker]:
        yield _Worker(_worker(url, slots, work)[0])


if __name__ == "__main__":
    main(Streaq())
