"""A proxy before Redis that cuts a connection around a script's reply.

*before*: the script's call reaches Redis in part or not at all, so it is not run.
*after*: Redis has run the script, and the client gets its reply in part or not at all.
"""

import asyncio
import contextlib
import random
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_CHUNK: Final = 256 * 1024
_SCRIPT: Final = b"EVAL"  # and EVALSHA


@dataclass(frozen=True, slots=True)
class Cut:
    """When to cut, and which share of the message still goes through, 0 to 1.

    *call* stands in the call that is meant: any script's, or one script's SHA.
    """

    moment: Literal["before", "after"]
    share: float
    call: bytes = _SCRIPT


def some_cut(chance: random.Random) -> Cut:
    """More often after than before, and every second time with nothing of the message."""
    share = chance.choice((0.0, chance.random()))
    return Cut("before" if chance.random() < 0.4 else "after", share)


class Proxy:
    """One for each client, so that a cut is known to be that client's."""

    def __init__(self, upstream: Path, path: Path, on_cut: Callable[[str], None]) -> None:
        self._upstream = upstream
        self._path = path
        self._on_cut = on_cut
        self._order: Cut | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[StreamWriter] = set()
        self._links: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._accept, self._path, limit=_CHUNK)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._links:
            await asyncio.wait(self._links)

    def cut(self, order: Cut) -> None:
        """Cut the next connection that calls a script."""
        self._order = order

    def _accept(self, client: StreamReader, to_client: StreamWriter) -> None:
        link = asyncio.create_task(self._serve(client, to_client))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        self._writers.add(to_client)
        try:
            redis, to_redis = await asyncio.open_unix_connection(self._upstream, limit=_CHUNK)
        except OSError:
            to_client.transport.abort()
            self._writers.discard(to_client)
            return
        self._writers.add(to_redis)
        link = _Link(client, to_client, redis, to_redis)
        pumps = [asyncio.create_task(self._forth(link)), asyncio.create_task(self._back(link))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for writer in (to_client, to_redis):
                writer.transport.abort()
                self._writers.discard(writer)

    async def _forth(self, link: "_Link") -> None:
        with contextlib.suppress(OSError):
            while chunk := await link.client.read(_CHUNK):
                if self._order is not None and self._order.call in chunk:
                    order, self._order = self._order, None
                    self._on_cut(order.moment)
                    if order.moment == "before":
                        # Never the whole of it: that would be a cut after.
                        link.to_redis.write(chunk[: int((len(chunk) - 1) * order.share)])
                        await link.to_redis.drain()
                        return
                    link.is_cut_after = order.share
                link.to_redis.write(chunk)
                await link.to_redis.drain()

    async def _back(self, link: "_Link") -> None:
        with contextlib.suppress(OSError):
            while chunk := await link.redis.read(_CHUNK):
                if link.is_cut_after is not None:
                    link.to_client.write(chunk[: int((len(chunk) - 1) * link.is_cut_after)])
                    await link.to_client.drain()
                    return
                link.to_client.write(chunk)
                await link.to_client.drain()


@dataclass(slots=True)
class _Link:
    client: StreamReader
    to_client: StreamWriter
    redis: StreamReader
    to_redis: StreamWriter
    is_cut_after: float | None = None
