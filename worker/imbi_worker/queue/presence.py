"""What a worker tells about itself: its heartbeat, the plugins it has, arq's health key."""

import asyncio
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import redis as blocking
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from imbi_sdk.queue import QueueError, keys
from imbi_worker.queue.inspection.health import RedisFacts, redis_facts

_LOG = structlog.get_logger("imbi_worker.queue")
INTERVAL_SECONDS = 10
_EXPIRY_MS = 30_000
_HINTS = {
    "redis.evicts": "CONFIG SET maxmemory-policy noeviction: an evicted job is a lost job",
    "redis.forgets": "CONFIG SET appendonly yes: without it a restart of Redis loses jobs",
}


class Presence:
    """Beats every 10 s; a worker is taken for gone 30 s after its last beat."""

    def __init__(
        self,
        redis: Redis,
        *,
        queue: str,
        worker: str,
        slugs: Sequence[str],
        report: Callable[[], Mapping[str, str | int]],
        on_error: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._worker = worker
        self._slugs = tuple(slugs)
        self._report = report
        self._on_error = on_error
        self._facts = {
            "version": version("imbi-worker"),
            "python": platform.python_version(),
            "host": platform.node(),
            "slugs": " ".join(self._slugs),
            "started": _now_ms(),
        }

    @property
    def worker(self) -> str:
        """The id of this worker."""
        return self._worker

    @property
    def health_key(self) -> str:
        """Arq's health key, one for each worker: a shared one is deleted by any clean exit."""
        return f"{self._queue}:health-check:{self._worker}"

    async def run(self) -> None:
        """Until cancelled. A beat that fails is repeated with the next.

        Whenever Redis has begun to answer, it is looked at: after a failover another
        server may stand there.
        """
        is_heard: bool | None = None
        while True:
            try:
                await self.beat()
                if not is_heard:
                    await self.look_at_redis()
                    is_heard = True
            except (RedisError, OSError, QueueError) as error:
                self._on_error()
                if is_heard is not False:
                    _LOG.warning("heartbeat.failed", error=type(error).__name__)
                is_heard = False
            await asyncio.sleep(INTERVAL_SECONDS)

    async def look_at_redis(self) -> None:
        """Warn of a Redis that would lose jobs: one that evicts, or that keeps nothing on disk."""
        for event, detail in _dangers(await redis_facts(self._redis)):
            _LOG.warning(event, detail=detail, hint=_HINTS[event])

    async def beat(self) -> None:
        now = _now_ms()
        report = self._report()
        key = f"{keys.WORKER}{self._worker}"
        facts: dict[str, Any] = {**self._facts, **report, "seen": now}
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(keys.WORKERS, {self._worker: now})
            pipe.hset(key, mapping=facts)
            pipe.pexpire(key, 60_000)
            if self._slugs:
                pipe.hset("imbi:slugs", mapping=dict.fromkeys(self._slugs, now))
            pipe.psetex(self.health_key, _EXPIRY_MS, _arq_health(report))
            await pipe.execute()

    async def leave(self) -> None:
        """A clean goodbye; after a crash the heartbeat just runs out."""
        await self._redis.zrem(keys.WORKERS, self._worker)
        await self._redis.delete(*self._own_keys)

    def leave_from_thread(self, redis: blocking.Redis) -> None:
        """The same for who cannot wait on the loop."""
        redis.zrem(keys.WORKERS, self._worker)
        redis.delete(*self._own_keys)

    @property
    def _own_keys(self) -> tuple[str, str]:
        return f"{keys.WORKER}{self._worker}", self.health_key


def _dangers(facts: RedisFacts) -> Iterator[tuple[str, str]]:
    if facts.policy not in {None, "noeviction"}:
        yield "redis.evicts", f"maxmemory-policy is {facts.policy}"
    if facts.persistence == "none":
        yield "redis.forgets", "nothing is kept on disk"
    elif facts.persistence == "snapshots":
        yield "redis.forgets", "there are snapshots only, which lose the minutes since the last one"


def _arq_health(report: Mapping[str, str | int]) -> str:
    """The line arq's own ``--check`` and dashboards read."""
    at = datetime.now(UTC).strftime("%b-%d %H:%M:%S")
    return (
        f"{at} j_complete={report.get('succeeded', 0)} j_failed={report.get('dead', 0)}"
        f" j_retried={report.get('retry', 0)} j_ongoing={report.get('running', 0)} queued=0"
    )


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
