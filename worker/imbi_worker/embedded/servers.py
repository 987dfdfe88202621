"""Both embedded servers at once, for as long as a block runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from imbi_worker.embedded.arcadedb import ArcadeDB
from imbi_worker.embedded.valkey import Valkey
from imbi_worker.graph import GraphAddress


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers answer that were asked for; None for the others."""

    redis_url: str | None
    graph: GraphAddress | None


@asynccontextmanager
async def embedded_servers(*, redis: bool = True, graph: bool = True) -> AsyncIterator[Servers]:
    """Start the servers side by side; both answer when the block begins.

    After the block, and also when this process is killed, no process and no file is left.
    """
    valkey = Valkey() if redis else None
    arcadedb = ArcadeDB() if graph else None
    servers = [server for server in (valkey, arcadedb) if server is not None]
    try:
        # On threads: a start waits, and so that a Ctrl-C meanwhile reaches `finally` at once.
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        yield Servers(
            redis_url=valkey.url if valkey else None,
            graph=arcadedb.address if arcadedb else None,
        )
    finally:
        for server in servers:
            server.stop()
