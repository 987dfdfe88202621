"""Where the engines work, and what stands beside their Redis."""

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bench.child import child
from bench.engines import FLOOR
from bench.ours.plugin import PLUGIN_ID
from bench.ours.producer import SIGNING_KEY
from bench.server import Servers, free_port, servers
from imbi_sdk.encryption import TokenEncryption
from imbi_worker.graph import Neo4jGraph
from imbi_worker.graph.seed import Seed, SeedPlugin, SeedService, plant


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the engines work; *extra* is the environment that the whole worker needs."""

    servers: Servers
    redis: Redis
    far: str
    extra: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.servers.redis

    async def clear(self) -> None:
        """Begin with an empty Redis that has just started."""
        await self.servers.renew_redis()
        await self.redis.connection_pool.disconnect()

    async def ask(self, *command: Any) -> Any:
        redis: Any = self.redis
        return await redis.execute_command(*command)

    async def redis_name(self) -> str:
        """Which server, and whose ``malloc`` it was built with: that is a third of its work."""
        info = await self.redis.info("everything")
        name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
        version = info.get("valkey_version", info["redis_version"])
        return f"{name} {version} ({info['mem_allocator']})"

    async def redis_cpu(self) -> float:
        """Seconds since its start."""
        info = await self.redis.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


@asynccontextmanager
async def _delayed(port: int) -> AsyncIterator[str]:
    """The address of a Redis that is 1 ms away."""
    front = free_port()
    words = ("bench.delay", f"--port={front}", f"--to={port}", "--milliseconds=1")
    async with child(FLOOR.python, *words) as proxy:
        await proxy.line()
        yield f"redis://127.0.0.1:{front}"


@asynccontextmanager
async def _stand_in() -> AsyncIterator[Mapping[str, str]]:
    """The variables that lead a worker to a stand-in of Imbi's API."""
    token = secrets.token_hex(8)
    async with child(FLOOR.python, "bench.ours.stand_in", f"--token={token}") as api:
        url = str((await api.line())["ready"])
        yield {"ACTIONS_IMBI_URL": url, "ACTIONS_IMBI_TOKEN": token}


@asynccontextmanager
async def open_stage(redis_program: Path | None = None) -> AsyncIterator[Stage]:
    """Servers of its own, one integration in the graph, a stand-in of Imbi's API."""
    async with (
        servers(redis_program) as started,
        _delayed(started.port) as far,
        _stand_in() as imbi,
    ):
        key = Fernet.generate_key().decode()
        await _plant(started, key)
        graph = started.graph
        extra = {
            **imbi,
            "IMBI_AUTH_ENCRYPTION_KEY": key,
            "IMBI_WORKER_SIGNING_KEY": SIGNING_KEY,
            "NEO4J_URL": graph.url,
            "NEO4J_USER": graph.user or "",
            "NEO4J_PASSWORD": graph.password.get_secret_value() if graph.password else "",
            "NEO4J_DATABASE": graph.database or "",
        }
        async with Redis.from_url(started.redis) as redis:
            yield Stage(started, redis, far, extra)


async def _plant(started: Servers, key: str) -> None:
    """The one integration whose credential the whole path reads."""
    blob = TokenEncryption(key).encrypt(json.dumps({"api_token": "a-token-of-the-benchmark"}))
    service = SeedService("bench", None, (SeedPlugin(PLUGIN_ID, "bench", blob),))
    graph = Neo4jGraph.at(started.graph)
    try:
        await plant(graph, Seed("o", services=(service,)))
    finally:
        await graph.close()
