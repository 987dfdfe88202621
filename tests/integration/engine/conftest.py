"""Workers in the test's own process."""

from collections.abc import AsyncIterator, Iterator

import probe
import pytest
from room import Room


@pytest.fixture(autouse=True)
def _probe() -> Iterator[None]:
    with probe.installed():
        yield


@pytest.fixture
async def room(redis_url: str) -> AsyncIterator[Room]:
    room = Room(redis_url)
    yield room
    await room.redis.aclose()
