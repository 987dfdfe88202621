"""House-keeping: one worker every 30 s trims dead letters and repairs what should never be."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_worker.queue.claims import SCRIPTS

_JANITOR = load_script("janitor", SCRIPTS)
_LOG = structlog.get_logger("imbi_worker.queue")
PAUSE = timedelta(seconds=30)
# As in the script: after a full round the next one need not wait.
TRIMMED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Retention:
    """How long dead letters are kept: whichever limit is reached first."""

    age: timedelta = timedelta(days=30)
    count: int = 10_000
    size_bytes: int = 1024**3


class Janitor:
    """Every worker tries; the script lets one of them through each round."""

    def __init__(
        self,
        redis: Executes,
        *,
        queue: str,
        worker: str,
        retention: Retention,
        pause: timedelta = PAUSE,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._worker = worker
        self._retention = retention
        self._pause = pause
        self._cursor = "0"
        self._is_failing = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._pause.total_seconds())
            try:
                await self.tidy_all()
            except (RedisError, OSError) as error:
                if not self._is_failing:
                    _LOG.warning("janitor.failed", error=type(error).__name__)
                self._is_failing = True
            else:
                self._is_failing = False

    async def tidy_all(self) -> None:
        """One round, and more while dead letters come faster than one can trim."""
        while (await self.tidy())[0] >= TRIMMED_AT_ONCE:
            pass

    async def tidy(self) -> tuple[int, list[str]]:
        """One round: how many dead letters were trimmed, and the kinds of what was repaired."""
        kept = self._retention
        arguments = [
            keys.LAYOUT,
            self._worker,
            _ms(self._pause) - 500,
            self._cursor,
            _ms(kept.age),
            kept.count,
            kept.size_bytes,
        ]
        cursor, trimmed, *repairs = await _JANITOR(self._redis, [self._queue], arguments)
        self._cursor = cursor.decode() or self._cursor
        kinds = [kind.decode() for kind in repairs]
        if kinds:
            _LOG.error("queue.repaired", kinds=kinds, hint="this should never be: please report it")
        return int(trimmed), kinds


def _ms(duration: timedelta) -> int:
    return int(duration / timedelta(milliseconds=1))
