"""A desk for each test; whatever the test did, the invariants hold when it ends."""

from collections.abc import AsyncIterator

import pytest
from desk import Desk
from invariants import broken
from redis.asyncio import Redis

from imbi_worker.embedded import Valkey


@pytest.fixture
async def torn(redis: Redis) -> Desk:
    """A desk for a test that tears Redis apart on purpose; nothing is checked afterwards."""
    return Desk(redis)


@pytest.fixture
async def desk(torn: Desk) -> AsyncIterator[Desk]:
    """A desk; afterwards every invariant holds and nothing had to be repaired."""
    yield torn
    assert await broken(torn.redis) == []


@pytest.fixture
async def own_desk(valkey: Valkey) -> AsyncIterator[Desk]:
    """A desk at a server of its own, which the test may fill up."""
    async with Redis.from_url(valkey.url) as redis:
        yield Desk(redis)
