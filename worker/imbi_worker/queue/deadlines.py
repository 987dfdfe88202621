"""Waits that end in time, and how long a worker's last writes may take."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

LAST_WRITES: Final = timedelta(seconds=5)


async def over_within(at_most: timedelta, awaitable: Coroutine[Any, Any, None]) -> None:
    """Returns when it is over; after *at_most* it is cancelled."""
    try:
        async with asyncio.timeout(at_most.total_seconds()):
            await awaitable
    except TimeoutError:
        pass
