"""The pods of one run: started, killed, frozen, drained, and replaced when they are gone."""

import asyncio
import itertools
import json
import random
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.history import History
from chaos.nursery import Child, Nursery
from chaos.plugin import EXIT_CODE
from chaos.proxy import Proxy, some_cut

_LAST_LINES: Final = 8
# Drained; terminated before it was set up; drained past an action that would not end; killed;
# ended by a toxic action.
_DRAINED: Final = {0, -signal.SIGTERM}
_EXPECTED: Final = {*_DRAINED, 70, -signal.SIGKILL, EXIT_CODE}


@dataclass(slots=True)
class Pod:
    process: Child
    proxy: Proxy
    log: Path
    is_frozen: bool = False
    is_drained: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid


class Crew:
    """Keeps *size* pods alive until told otherwise."""

    def __init__(
        self,
        *,
        size: int,
        redis: Path,
        directory: Path,
        environment: Mapping[str, str],
        history: History,
        chance: random.Random,
    ) -> None:
        self._size = size
        self._redis = redis
        self._directory = directory
        self._environment = dict(environment)
        self._history = history
        self._chance = chance
        self._numbers = itertools.count(1)
        self._pods: list[Pod] = []
        self._keepers: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._nursery = Nursery()
        self.complaints: list[str] = []

    async def open(self) -> None:
        """Before the first start."""
        await self._nursery.open(self._environment)

    async def close(self) -> None:
        """When all are gone."""
        await self._nursery.close()

    async def start(self, *, is_calm: bool = False) -> None:
        self._is_open = True
        self._environment["CHAOS_CALM"] = "1" if is_calm else "0"
        for _ in range(self._size):
            await self._hire()

    def kill(self) -> None:
        """SIGKILL one of them, who is replaced."""
        for pod in self._some(1):
            self._history.note("kill", pid=pod.pid)
            _signal(pod, signal.SIGKILL)

    def drain(self) -> None:
        """SIGTERM one of them, who is replaced when it has ended."""
        for pod in self._some(1):
            self._terminate(pod)

    def cut(self) -> None:
        """Cut one connection of up to three of them around a script's reply."""
        for pod in self._some(3):
            pod.proxy.cut(some_cut(self._chance))

    async def freeze(self, seconds: float) -> None:
        """SIGSTOP one of them; SIGCONT after *seconds*."""
        for pod in self._some(1):
            pod.is_frozen = True
            self._history.note("freeze", pid=pod.pid, until=_now() + seconds)
            _signal(pod, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            _signal(pod, signal.SIGCONT)
            pod.is_frozen = False

    async def stop(self) -> None:
        """SIGTERM for all, SIGKILL for every second one; returns when all are gone."""
        self._is_open = False
        for number, pod in enumerate(self._alive()):
            if number % 2:
                self._history.note("kill", pid=pod.pid)
                _signal(pod, signal.SIGKILL)
            else:
                self._terminate(pod)
                _signal(pod, signal.SIGCONT)
        await self._gone()

    async def dismiss(self) -> None:
        """SIGTERM for all of a calm crew: each must end by itself, with exit code 0."""
        self._is_open = False
        pods = self._alive()
        for pod in pods:
            self._terminate(pod)
        await self._gone()
        self.complaints += [
            f"a calm worker ended with {pod.process.returncode} after SIGTERM\n{_last_words(pod)}"
            for pod in pods
            if pod.process.returncode not in _DRAINED
        ]

    def _alive(self) -> list[Pod]:
        return [pod for pod in self._pods if pod.process.returncode is None]

    def _some(self, count: int) -> list[Pod]:
        alive = [pod for pod in self._alive() if not (pod.is_frozen or pod.is_drained)]
        return self._chance.sample(alive, min(count, len(alive)))

    def _terminate(self, pod: Pod) -> None:
        pod.is_drained = True
        self._history.note("drain", pid=pod.pid)
        _signal(pod, signal.SIGTERM)

    async def _hire(self) -> None:
        number = next(self._numbers)
        pid: list[int] = []

        def on_cut(moment: str) -> None:
            self._history.note("cut", pid=pid[0], how=moment)

        proxy = Proxy(self._redis, self._directory / f"{number}.sock", on_cut)
        await proxy.start()
        log = self._directory / f"pod-{number}.log"
        process = await self._nursery.start({**self._environment, "REDIS_URL": proxy.url}, log)
        pid.append(process.pid)
        pod = Pod(process, proxy, log)
        self._pods.append(pod)
        keeper = asyncio.create_task(self._keep(pod))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)

    async def _keep(self, pod: Pod) -> None:
        code = await pod.process.wait()
        for job in _given_back(pod):
            self._history.note("given back", pid=pod.pid, job=job)
        self._history.note("died", pid=pod.pid, how=str(code))
        await pod.proxy.stop()
        self._pods.remove(pod)
        if code not in _EXPECTED:
            self.complaints.append(f"a worker ended with {code} by itself\n{_last_words(pod)}")
        if self._is_open:
            await self._hire()

    async def _gone(self) -> None:
        try:
            async with asyncio.timeout(30):
                while self._keepers:
                    await asyncio.wait(set(self._keepers))
        except TimeoutError:
            for pod in self._alive():
                self.complaints.append(f"a worker did not end\n{_last_words(pod)}")
                _signal(pod, signal.SIGKILL)
            await asyncio.wait(set(self._keepers))


def _signal(pod: Pod, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        pod.process.send_signal(number)


def _given_back(pod: Pod) -> list[str]:
    """The jobs that its watchdog gave back as it ended the process by force."""
    for line in pod.log.read_text(errors="replace").splitlines():
        if '"event":"drain.forced"' in line:
            return str(json.loads(line)["released"]).split()
    return []


def _last_words(pod: Pod) -> str:
    lines = pod.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    return "\n".join(f"    {line[:400]}" for line in lines)


def _now() -> float:
    return asyncio.get_running_loop().time()
