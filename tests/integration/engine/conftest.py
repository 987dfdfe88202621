"""Workers in the test's own process."""

from collections.abc import AsyncIterator, Iterator

import probe
import pytest
from room import Room

from imbi_sdk.registry import load_plugins


@pytest.fixture(autouse=True)
def _probe() -> Iterator[None]:
    load_plugins(builtins=(probe.Probe,))
    probe.reset()
    yield
    probe.JOURNAL.gate.set()


@pytest.fixture
async def room(redis_url: str) -> AsyncIterator[Room]:
    room = Room(redis_url)
    yield room
    await room.redis.aclose()
