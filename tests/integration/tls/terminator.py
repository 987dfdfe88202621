"""TLS in front of a server that speaks none: the tests' Valkey is built without it."""

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from pathlib import Path

_CHUNK = 64 * 1024


class Terminator:
    """Listens on a port of 127.0.0.1, with TLS as *context* says or without, for *upstream*."""

    def __init__(self, upstream: Path, context: ssl.SSLContext | None) -> None:
        self._upstream = upstream
        self._context = context
        self._links: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def _accept(self, client: StreamReader, to_client: StreamWriter) -> None:
        link = asyncio.create_task(self._serve(client, to_client))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(self._upstream)
        pumps = [
            asyncio.create_task(_pump(client, to_server)),
            asyncio.create_task(_pump(server, to_client)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for writer in (to_client, to_server):
                writer.transport.abort()


async def _pump(source: StreamReader, target: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()
