"""The servers of a run, Redis on a TCP port as a pod would reach it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from imbi_worker.embedded import embedded_servers
from imbi_worker.graph import GraphAddress


@dataclass(frozen=True, slots=True)
class Addresses:
    redis: str
    graph: GraphAddress

    @property
    def port(self) -> int:
        return int(self.redis.rpartition(":")[2])


@asynccontextmanager
async def servers(redis_program: Path | None = None) -> AsyncIterator[Addresses]:
    """An empty Redis and an empty graph, on the loopback interface."""
    async with embedded_servers(redis_program=redis_program) as started:
        assert started.redis_url is not None
        assert started.graph is not None
        port = free_port()
        async with Redis.from_url(started.redis_url) as redis:
            # The embedded server listens on its socket only; not every peer speaks that.
            await redis.config_set("bind", "127.0.0.1")
            await redis.config_set("port", port)
        yield Addresses(f"redis://127.0.0.1:{port}", started.graph)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
