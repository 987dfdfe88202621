"""The real command as processes, on real servers, against the stand-in Imbi API."""

from collections.abc import AsyncIterator, Iterator

import pytest
from cryptography.fernet import Fernet
from stage import Stage

from imbi_worker.embedded import Valkey
from imbi_worker.graph import GraphAddress


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """A Redis of the test's own, with an append-only file, to kill and restart."""
    server = Valkey(appendonly=True).start()
    yield server
    server.stop()


@pytest.fixture
async def stage(redis_url: str, graph_address: GraphAddress) -> AsyncIterator[Stage]:
    """Three projects, one demo integration, no workers yet."""
    async with Stage(redis_url, graph_address, Fernet.generate_key().decode()) as stage:
        yield stage


@pytest.fixture
async def fragile_stage(own_valkey: Valkey, graph_address: GraphAddress) -> AsyncIterator[Stage]:
    """The same on a Redis that may be killed."""
    async with Stage(own_valkey.url, graph_address, Fernet.generate_key().decode()) as stage:
        yield stage
