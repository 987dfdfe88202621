"""The floor: the least a queue on Redis can do that loses no job of a killed worker.

A list, taken in batches into a list of taken jobs, a batch forgotten when all of it ended. No
results, no retries, no order, no leases: not a queue to use, but what the machine allows.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import hiredis

from bench.harness import Work, main

# Moves up to ARGV[1] jobs to a list of their own and returns them.
TAKE = b"""
local jobs = redis.call('LPOP', 'floor', ARGV[1])
if not jobs then return {} end
redis.call('RPUSH', 'floor:taken:' .. ARGV[2], unpack(jobs))
return jobs
"""


class _Connection:
    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._reader = hiredis.Reader()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The replies, in one round trip."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._address.hostname, self._address.port, limit=1 << 22
            )
        reader, writer = self._streams
        writer.write(b"".join(hiredis.pack_command(command) for command in commands))
        replies: list[Any] = []
        while len(replies) < len(commands):
            reply = self._reader.gets()
            if reply is False:
                self._reader.feed(await reader.read(1 << 20))
            elif isinstance(reply, Exception):
                raise reply
            else:
                replies.append(reply)
        return replies


class _Producer:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def enqueue(self, payloads: Sequence[dict[str, Any]]) -> None:
        await self._connection.ask(("RPUSH", "floor", *(json.dumps(body) for body in payloads)))


class _Worker:
    def __init__(self, connection: _Connection, slots: int, work: Work) -> None:
        self._connection, self._slots, self._work = connection, slots, work
        self._running = 0
        self._batches = 0
        self._over: list[tuple[Any, ...]] = []
        self._freed = asyncio.Event()

    async def run(self) -> None:
        jobs: Sequence[bytes] = ()
        while True:
            over, self._over = self._over, []
            free = self._slots - self._running
            if free:
                self._batches += 1
                *_, jobs = await self._connection.ask(*over, ("EVAL", TAKE, 0, free, self._batches))
                self._running += len(jobs)
                self._start(jobs, f"floor:taken:{self._batches}")
            elif over:
                await self._connection.ask(*over)
            self._freed.clear()
            if self._running >= self._slots or not jobs:
                await asyncio.wait({asyncio.ensure_future(self._freed.wait())}, timeout=0.01)

    def _start(self, jobs: Sequence[bytes], taken: str) -> None:
        open_jobs = len(jobs)

        def end(_: "asyncio.Task[None]") -> None:
            nonlocal open_jobs
            open_jobs -= 1
            self._running -= 1
            if not open_jobs:
                self._over.append(("DEL", taken))
            self._freed.set()

        for job in jobs:
            asyncio.ensure_future(self._work(json.loads(job))).add_done_callback(end)


class Floor:
    @asynccontextmanager
    async def producer(self, url: str, variant: str) -> AsyncIterator[_Producer]:  # noqa: ARG002 - as the others
        yield _Producer(_Connection(url))

    @asynccontextmanager
    async def worker(
        self,
        url: str,
        variant: str,  # noqa: ARG002 - as the others
        slots: int,
        work: Work,
    ) -> AsyncIterator[_Worker]:
        yield _Worker(_Connection(url), slots, work)


if __name__ == "__main__":
    main(Floor())
