"""Workers in the test's own process, on a Redis of the test's own that may be torn."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs
from structlog.typing import EventDict

from acceptance.stage import Stage
from chaos.proxy import Proxy
from imbi_sdk.registry import load_plugins
from imbi_worker.embedded import Valkey
from imbi_worker.graph import GraphAddress
from integration.engine.room import Room
from integration.guarantees import puppets


@pytest.fixture(autouse=True)
def _puppets() -> Iterator[None]:
    load_plugins(builtins=(puppets.Puppets,))
    puppets.clear()
    yield
    puppets.clear()


@pytest.fixture
async def room(redis_url: str) -> AsyncIterator[Room]:
    room = Room(redis_url)
    yield room
    await room.redis.aclose()


@pytest.fixture
async def fragile(valkey: Valkey) -> AsyncIterator[Room]:
    """A room on a server of its own, to kill, freeze and fill."""
    room = Room(valkey.url)
    yield room
    await room.redis.aclose()


@pytest.fixture
async def bridge(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Proxy]:
    """One worker's way to the own server; stopped, that worker is cut off."""
    proxy = Proxy(
        Path(valkey.url.removeprefix("unix://")), tmp_path / "bridge.sock", lambda _: None
    )
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    """Every line the workers of this process write."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
async def stage(redis_url: str, graph_address: GraphAddress) -> AsyncIterator[Stage]:
    """A small Imbi for worker processes."""
    async with Stage(redis_url, graph_address, Fernet.generate_key().decode()) as stage:
        yield stage
