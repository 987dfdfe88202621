"""One run of chaos, from empty servers to the verdict."""

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cryptography.fernet import Fernet
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from chaos.closing import read_books, replay_all, still_broken, until_worked_off
from chaos.crew import Crew
from chaos.history import History, read
from chaos.producers import SIGNING_KEY, Producer
from chaos.proxy import Proxy
from chaos.storm import Storm
from chaos.tail import Tail
from chaos.verdict import Verdict, judge
from imbi_sdk.queue import keys
from imbi_worker.embedded import Valkey
from imbi_worker.queue import Retention, connect
from imbi_worker.queue.janitor import Janitor

Fsync: TypeAlias = Literal["always", "everysec"]
_LEASE: Final = 2.0
_JOBS_PER_DELIVERY: Final = 2.2
# The jobs are to be in before the storm ends, for it may end without a Redis.
_AHEAD: Final = 1.15


@dataclass(frozen=True, slots=True)
class Plan:
    """How much chaos. *seed* gives the same decisions; no two runs have the same timing."""

    seed: int
    seconds: float
    workers: int = 8
    producers: int = 5
    jobs: int = 20_000
    keep: Path | None = None
    fsync: Fsync = "always"


async def run(plan: Plan) -> Verdict:
    """Play the storm and judge it. With *keep* the history and the logs stay there."""
    directory = Path(tempfile.mkdtemp(prefix="imbi-chaos-"))
    # With always, what is acknowledged is on disk, so a restart explains no duplicate.
    valkey = Valkey(directory / "redis", appendonly=True, appendfsync=plan.fsync).start()
    try:
        return await _Stage(plan, directory, valkey).play()
    finally:
        valkey.stop()
        if plan.keep is not None:
            shutil.copytree(directory, plan.keep, dirs_exist_ok=True, ignore=_not_sockets)
        shutil.rmtree(directory, ignore_errors=True)


class _Stage:
    def __init__(self, plan: Plan, directory: Path, valkey: Valkey) -> None:
        self._plan = plan
        self._directory = directory
        self._valkey = valkey
        self._socket = Path(valkey.url.removeprefix("unix://"))
        self._path = directory / "history.jsonl"
        self._history = History(self._path)
        self._redis = connect(SecretStr(valkey.url), queue=keys.QUEUE)
        self._jobs: list[str] = []
        self._crew = Crew(
            size=plan.workers,
            redis=self._socket,
            directory=directory,
            environment=self._environment(),
            history=self._history,
            chance=self._chance("crew"),
        )

    async def play(self) -> Verdict:
        await self._crew.open()
        try:
            await self._crew.start()
            await self._storm()
            await self._crew.stop()
            return await self._close()
        finally:
            await self._crew.close()
            await self._redis.aclose()

    async def _storm(self) -> None:
        plan, stop = self._plan, asyncio.Event()
        tail = Tail(self._directory / "redis") if plan.fsync == "everysec" else None
        producers = [self._producer(f"producer-{n}") for n in range(plan.producers)]
        storm = Storm(
            crew=self._crew,
            producers=producers,
            valkey=self._valkey,
            redis=self._redis,
            jobs=self._jobs,
            history=self._history,
            chance=self._chance("storm"),
            tail=tail,
        )
        rate = _AHEAD * plan.jobs / plan.seconds / _JOBS_PER_DELIVERY / plan.producers
        async with asyncio.TaskGroup() as group:
            for producer in producers:
                group.create_task(producer.run(stop=stop, rate=rate, most=plan.jobs))
            group.create_task(storm.run(stop=stop))
            group.create_task(self._sweep(stop))
            if tail is not None:
                group.create_task(tail.watch(self._redis, stop))
            await asyncio.sleep(plan.seconds)
            stop.set()

    async def _sweep(self, stop: asyncio.Event) -> None:
        """Janitors' rounds, one a second in place of one in thirty: they must find nothing."""
        janitor = Janitor(
            self._redis,
            queue=keys.QUEUE,
            worker="chaos",
            retention=Retention(),
            pause=timedelta(seconds=1),
        )
        while not stop.is_set():
            with suppress(RedisError, OSError):
                await janitor.tidy()
            await asyncio.sleep(1)

    async def _close(self) -> Verdict:
        await self._crew.start(is_calm=True)
        is_done = await until_worked_off(self._redis)
        # One look at tens of thousands of jobs takes longer than a worker may wait for a reply.
        async with Redis.from_url(self._valkey.url) as patient:
            problems = await still_broken(patient)
            books = await read_books(patient)
            replays = await replay_all(patient) if is_done else []
            problems += await still_broken(patient) if is_done else []
        await self._crew.dismiss()
        verdict = judge(list(read(self._path)), books, lease=_LEASE)
        verdict.others += [*problems, *replays, *self._crew.complaints]
        verdict.others += self._leaks()
        return verdict

    def _leaks(self) -> Sequence[str]:
        logs = self._directory.glob("pod-*.log")
        return [f"{log.name} holds a secret" for log in logs if SIGNING_KEY in log.read_text()]

    def _producer(self, name: str) -> Producer:
        def on_cut(moment: str) -> None:
            self._history.note("producer cut", how=moment)

        proxy = Proxy(self._socket, self._directory / f"{name}.sock", on_cut)
        return Producer(name, proxy, self._history, self._chance(name), self._jobs)

    def _chance(self, name: str) -> random.Random:
        return random.Random(f"{self._plan.seed}/{name}")  # noqa: S311 - chance to be repeated

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("IMBI_", "VALKEY_"))}
        return {
            **kept,
            "PYTHONPATH": os.environ.get("PYTHONPATH", str(Path(__file__).parent.parent)),
            "CHAOS_HISTORY": str(self._path),
            "NEO4J_URL": "bolt://127.0.0.1:1",  # no job carries a plugin id: nobody asks it
            "IMBI_AUTH_ENCRYPTION_KEY": Fernet.generate_key().decode(),
            "IMBI_WORKER_SIGNING_KEY": SIGNING_KEY,
            "IMBI_WORKER_CONCURRENCY": "20",
            "IMBI_WORKER_LEASE": f"{_LEASE}s",
            "IMBI_WORKER_BACKOFF": "50ms",
            "IMBI_WORKER_TIMEOUT": "3s",
            "IMBI_WORKER_GRACE": "300ms",
            "IMBI_WORKER_DRAIN": "1s",
            "IMBI_WORKER_PATIENCE": "4s",
            "IMBI_WORKER_LOG_LEVEL": "info",
        }


def _not_sockets(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".sock")]
