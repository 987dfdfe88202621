"""Pods by fork from one process that has imported everything: a start costs no second of CPU.

``python -m chaos.nursery <pid of its owner>`` has one thread. One JSON object a line:

    {"log": PATH, "environment": {...}}   ->  {"pid": N}
    when a pod has ended                  ->  {"pid": N, "code": its exit code, -N for signal N}
"""

import asyncio
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chaos import pod
from imbi_worker.embedded.keeper import die_with

_TESTS: Final = Path(__file__).parent.parent
_CHUNK: Final = 1 << 16


class Child:
    """One process of the nursery, as its owner sees it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def end(self, code: int) -> None:
        self.returncode = code
        self._ended.set()


class Nursery:
    """The owner's end. When the owner dies the nursery does, and its pods with it."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._asked: asyncio.Queue[asyncio.Future[Child]] = asyncio.Queue()
        self._children: dict[int, Child] = {}
        self._listener: asyncio.Task[None] | None = None

    async def open(self, environment: Mapping[str, str]) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "chaos.nursery",
            str(os.getpid()),
            cwd=_TESTS,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._listener = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """When no pod lives any more."""
        if self._process is None or self._listener is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._listener
        await self._process.wait()

    async def start(self, environment: Mapping[str, str], log: Path) -> Child:
        assert self._process is not None
        assert self._process.stdin is not None
        child: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait(child)
        order = json.dumps({"log": str(log), "environment": dict(environment)})
        self._process.stdin.write(f"{order}\n".encode())
        return await child

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if "code" in told:
                self._children.pop(told["pid"]).end(told["code"])
            else:
                child = self._children[told["pid"]] = Child(told["pid"])
                self._asked.get_nowait().set_result(child)


def main() -> None:
    """Returns in each pod, when that has ended, and in the nursery when its input has."""
    ask = die_with(int(sys.argv[1]))
    if ask is not None:
        ask()
    awoken, awake = os.pipe()
    for end in (awoken, awake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(awake)
    heard = b""
    while True:
        ready, _, _ = select.select([0, awoken], [], [])
        if awoken in ready:
            os.read(awoken, _CHUNK)
            _tell_the_ended()
        if 0 not in ready:
            continue
        chunk = os.read(0, _CHUNK)
        if not chunk:
            return
        *orders, heard = (heard + chunk).split(b"\n")
        for order in orders:
            if _fork(json.loads(order), (awoken, awake)):
                pod.main()
                return


def _fork(order: Mapping[str, Any], pipe: tuple[int, int]) -> bool:
    """True in the child."""
    nursery = os.getpid()
    pid = os.fork()
    if pid:
        _say(pid=pid)
        return False
    ask = die_with(nursery)
    if ask is not None:
        ask()
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream, target in ((0, nothing), (1, log), (2, log)):
        os.dup2(target, stream)
    for spare in (nothing, log, *pipe):
        os.close(spare)
    os.environ.clear()
    os.environ.update(order["environment"])
    return True


def _tell_the_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say(pid=pid, code=os.waitstatus_to_exitcode(status))


def _say(**told: int) -> None:
    os.write(1, f"{json.dumps(told)}\n".encode())


if __name__ == "__main__":
    main()
