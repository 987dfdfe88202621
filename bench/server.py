"""The servers of a run, Redis on a TCP port as a pod would reach it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from imbi_worker.embedded import Valkey, embedded_servers
from imbi_worker.graph import GraphAddress


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they answer, on the loopback interface."""

    valkey: Valkey
    port: int
    graph: GraphAddress

    @property
    def redis(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def renew_redis(self) -> None:
        """An empty Redis that has just started, at the same address.

        A server that was only emptied hands the memory out in the pieces that others have left:
        with glibc's ``malloc`` the tenth engine then has two thirds of the first one's speed.
        """
        await asyncio.to_thread(self.valkey.restart)


@asynccontextmanager
async def servers(redis_program: Path | None = None) -> AsyncIterator[Servers]:
    """An empty Redis and an empty graph."""
    port = free_port()
    # The embedded server listens on its socket only; not every peer speaks that.
    listening = {"bind": "127.0.0.1", "port": str(port)}
    valkey = Valkey(settings=listening, program=redis_program)
    try:
        async with embedded_servers(redis=False) as started:
            await asyncio.to_thread(valkey.start)
            assert started.graph is not None
            yield Servers(valkey, port, started.graph)
    finally:
        valkey.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
