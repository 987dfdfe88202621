"""A gateway and workers at one Redis; afterwards all that the feed kept has been given back."""

from collections.abc import AsyncIterator

import pytest
from gateway import Gateway
from redis.asyncio import Redis

from integration.queue.desk import Desk
from integration.queue.invariants import broken


@pytest.fixture
async def gateway(redis: Redis) -> AsyncIterator[Gateway]:
    """A gateway; after the test the feed is ended, and every invariant of the queue holds."""
    gateway = Gateway(redis)
    yield gateway
    await gateway.consumer().unregister()
    assert await broken(redis) == []


@pytest.fixture
def desk(redis: Redis) -> Desk:
    """The workers' side."""
    return Desk(redis)
