"""The storm: every 250 ms something may go wrong, chosen by the seed."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus
from redis.exceptions import RedisError

from chaos.crew import Crew
from chaos.history import History
from chaos.producers import Producer
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
    ) -> None:
        self._crew = crew
        self._producers = producers
        self._valkey = valkey
        self._redis = redis
        self._jobs = jobs
        self._history = history
        self._chance = chance
        self._loose: set[asyncio.Task[None]] = set()

    async def run(self, *, stop: asyncio.Event) -> None:
        deeds = {
            "restart": self._restart,
            "pause": self._pause,
            "abort": self._abort,
            "freeze": self._freeze,
        }
        simple = {"kill": self._crew.kill, "cut": self._cut, "drain": self._crew.drain}
        while not stop.is_set():
            await asyncio.sleep(_TICK)
            (name,) = self._chance.choices(list(_WEATHER), list(_WEATHER.values()))
            if name in simple:
                simple[name]()
            elif name in deeds:
                await deeds[name]()
        if self._loose:
            await asyncio.wait(self._loose)

    async def _restart(self) -> None:
        """SIGKILL; what was acknowledged is in the append-only file, and comes back."""
        away = self._chance.choice((0.0, 0.5, 3.0))
        self._history.note("redis away")
        self._valkey.kill()
        await asyncio.sleep(away)
        await asyncio.to_thread(self._valkey.restart)
        self._history.note("redis back")
        await self._redis.connection_pool.disconnect()

    async def _pause(self) -> None:
        seconds = self._chance.choice((0.05, 0.3, 0.3, 1.0, 1.0, 3.0))
        mode = self._chance.choice(("ALL", "WRITE"))
        self._history.note("redis away")
        with suppress(RedisError, OSError):
            client: Executes = self._redis
            await client.execute_command("CLIENT", "PAUSE", int(seconds * 1000), mode)
        await asyncio.sleep(seconds)
        self._history.note("redis back")

    def _cut(self) -> None:
        self._crew.cut()
        self._chance.choice(self._producers).cut()

    async def _freeze(self) -> None:
        task = asyncio.create_task(self._crew.freeze(self._chance.choice((0.5, 2.5, 4.0))))
        self._loose.add(task)
        task.add_done_callback(self._loose.discard)

    async def _abort(self) -> None:
        """A stock client's abort: of a job that runs just now, if one of some recent ones does."""
        if not self._jobs:
            return
        candidates = self._chance.sample(self._jobs[-_RECENT:], min(10, len(self._jobs[-_RECENT:])))
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
