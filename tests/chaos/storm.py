"""The storm: every 250 ms something may go wrong, chosen by the seed."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus
from redis.exceptions import RedisError

from chaos.crew import Crew
from chaos.history import History
from chaos.producers import Producer
from chaos.tail import Tail
from imbi_sdk.queue import ActionFailed, arq_deserializer, keys
from imbi_sdk.queue.scripts import Executes
from imbi_worker.embedded import Valkey

_TICK: Final = 0.25
# In hundredths of the ticks.
_WEATHER: Final = {
    "kill": 8,
    "restart": 2,
    "pause": 3,
    "cut": 25,
    "abort": 8,
    "freeze": 2,
    "drain": 2,
    "nothing": 50,
}
_RECENT: Final = 60
_ASKED: Final = 10


class Storm:
    """Breaks what it was given until it is stopped."""

    def __init__(
        self,
        *,
        crew: Crew,
        producers: Sequence[Producer],
        valkey: Valkey,
        redis: ArqRedis,
        jobs: Sequence[str],
        history: History,
        chance: random.Random,
        tail: Tail | None,
    ) -> None:
        self._tail = tail
        self._crew = crew
        self._producers = producers
        self._valkey = valkey
        self._redis = redis
        self._jobs = jobs
        self._history = history
        self._chance = chance
        self._loose: set[asyncio.Task[None]] = set()
        self._one_absence = asyncio.Lock()

    async def run(self, *, stop: asyncio.Event) -> None:
        """One tick after the other, however long what goes wrong takes."""
        deeds: dict[str, Callable[[], Coroutine[Any, Any, None] | None]] = {
            "kill": self._crew.kill,
            "restart": self._restart,
            "pause": self._pause,
            "cut": self._cut,
            "abort": lambda: self._abort(random.Random(self._chance.random())),  # noqa: S311 - chance to be repeated
            "freeze": self._freeze,
            "drain": self._crew.drain,
            "nothing": lambda: None,
        }
        due = time.monotonic()
        while not stop.is_set():
            due += _TICK
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            (name,) = self._chance.choices(list(_WEATHER), list(_WEATHER.values()))
            if (lasting := deeds[name]()) is not None:
                self._let_go(lasting)
        if self._loose:
            await asyncio.wait(self._loose)

    def _let_go(self, lasting: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(lasting)
        self._loose.add(task)
        task.add_done_callback(self._loose.discard)

    def _restart(self) -> Coroutine[Any, Any, None]:
        away, lost = self._chance.choice((0.0, 0.5, 3.0)), self._chance.random()
        return self._without_redis(self._die_and_come_back(away, lost))

    def _pause(self) -> Coroutine[Any, Any, None]:
        seconds = self._chance.choice((0.05, 0.3, 0.3, 1.0, 1.0, 3.0))
        return self._without_redis(
            self._stand_still(seconds, self._chance.choice(("ALL", "WRITE")))
        )

    async def _without_redis(self, absence: Coroutine[Any, Any, None]) -> None:
        """One absence after the other."""
        async with self._one_absence:
            self._history.note("redis away")
            await absence
            self._history.note("redis back")

    async def _die_and_come_back(self, away: float, lost: float) -> None:
        """SIGKILL; what was acknowledged comes back, unless *tail* takes some of it."""
        self._valkey.kill()
        if self._tail is not None and (since := self._tail.lose(lost)) is not None:
            self._history.note("writes lost", until=since)
        await asyncio.sleep(away)
        await asyncio.to_thread(self._valkey.restart)
        await self._redis.connection_pool.disconnect()

    async def _stand_still(self, seconds: float, mode: str) -> None:
        with suppress(RedisError, OSError):
            client: Executes = self._redis
            await client.execute_command("CLIENT", "PAUSE", int(seconds * 1000), mode)
        await asyncio.sleep(seconds)

    def _cut(self) -> None:
        self._crew.cut()
        self._chance.choice(self._producers).cut()

    def _freeze(self) -> Coroutine[Any, Any, None]:
        return self._crew.freeze(self._chance.choice((0.5, 2.5, 4.0)))

    async def _abort(self, chance: random.Random) -> None:
        """A stock client's abort: of a job that runs just now, if one of some recent ones does."""
        recent = self._jobs[-_RECENT:]
        if not recent:
            return
        candidates = chance.sample(recent, min(_ASKED, len(recent)))
        with suppress(RedisError, OSError):
            chosen = await self._bad_moment(candidates)
            self._history.note("abort", job=chosen)
            with suppress(ActionFailed, TimeoutError, asyncio.CancelledError):
                await self._handle(chosen).abort(timeout=0.01, poll_delay=0.005)

    async def _bad_moment(self, candidates: Sequence[str]) -> str:
        for job in candidates:
            if await self._handle(job).status() is JobStatus.in_progress:
                return job
        return candidates[0]

    def _handle(self, job: str) -> Job:
        return Job(job, self._redis, _queue_name=keys.QUEUE, _deserializer=arq_deserializer)
