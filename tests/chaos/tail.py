"""The end of Redis' append-only file, which a machine that dies may lose with ``everysec``.

A killed Redis loses nothing that it has written, for the kernel keeps it. So what a dead
machine would have lost is cut off before the restart.
"""

import asyncio
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import RedisError

_LOOK_EVERY: Final = 0.02
_LONGEST: Final = 3.0
Sight: TypeAlias = tuple[float, Path, int]


class Tail:
    """Remembers how long the file was at which moment."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: deque[Sight] = deque()

    async def watch(self, redis: Redis, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(RedisError, OSError):
                await self._look(redis)
            await asyncio.sleep(_LOOK_EVERY)

    def lose(self, seconds: float) -> float | None:
        """Cut off what the last *seconds* before now have written; Redis must not run.

        Returns since when acknowledged writes are lost; None when there was nothing to cut.
        """
        now = time.monotonic()
        known = [sight for sight in self._seen if sight[0] <= now - seconds]
        self._seen.clear()
        if not known or known[-1][0] < now - _LONGEST or known[-1][1] != self._file():
            return None
        since, file, size = known[-1]
        os.truncate(file, size)
        return since

    async def _look(self, redis: Redis) -> None:
        asked = time.monotonic()
        info = await redis.info("persistence")
        self.see(asked, unwritten=info["aof_buffer_length"])

    def see(self, asked: float, *, unwritten: int) -> None:
        """The file as it is now; *asked* before Redis said how much is not in it yet."""
        # With a write put off, something acknowledged would be missing.
        if unwritten == 0:
            file = self._file()
            self._seen.append((asked, file, file.stat().st_size))
        while self._seen and self._seen[0][0] < asked - _LONGEST:
            self._seen.popleft()

    def _file(self) -> Path:
        """The last part of the file; a rewrite begins a new one."""
        parts = (self._directory / "appendonlydir").glob("*.incr.aof")
        return max(parts, key=lambda part: int(part.name.split(".")[-3]))
