"""A signal that wakes those who wait now, and none who come later."""

import asyncio


class Pulse:
    """Like an `asyncio.Event` that clears itself as it is set."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next `beat`."""
        await self._event.wait()

    def beat(self) -> None:
        self._event.set()
        self._event = asyncio.Event()
