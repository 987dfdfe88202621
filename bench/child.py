"""An engine in a process of its own, spoken to by its standard input and lines of JSON."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bench.engines import FOLDER, Engine

LONGEST_SECONDS: Final = 900.0
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class ChildFailed(Exception):  # noqa: N818 - reads as what it is
    """A process ended without an answer; the text carries its last words."""


class Child:
    """A running process; its lines come in order."""

    def __init__(self, process: asyncio.subprocess.Process, what: str) -> None:
        self._process = process
        self._what = what

    @property
    def pid(self) -> int:
        return self._process.pid

    async def line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(LONGEST_SECONDS):
            text = await self._process.stdout.readline()
        if not text:
            assert self._process.stderr is not None
            words = (await self._process.stderr.read())[-2000:].decode(errors="replace")
            raise ChildFailed(f"{self._what} ended without an answer:\n{words}")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        # Popen.kill polls first, and may so take the exit from asyncio's own watcher.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def rss_mb(self, *, is_most: bool = False) -> float:
        """Now, or the most since the process began."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        name = "VmHWM" if is_most else "VmRSS"
        kilobytes = next(line for line in status.splitlines() if line.startswith(name))
        return int(kilobytes.split()[1]) / 1024


@asynccontextmanager
async def child(
    python: str, *words: str, extra: Mapping[str, str] = NOTHING
) -> AsyncIterator[Child]:
    """The process is gone after the block."""
    process = await asyncio.create_subprocess_exec(
        python,
        "-m",
        *words,
        cwd=FOLDER.parent,
        env={**os.environ, **extra},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    started = Child(process, " ".join(words[:2]))
    try:
        yield started
    finally:
        started.kill()
        await process.wait()


@asynccontextmanager
async def engine(
    which: Engine, command: str, *, extra: Mapping[str, str] = NOTHING, **options: Any
) -> AsyncIterator[Child]:
    """*which* at *command*; options in the words of bench/harness.py."""
    words = [which.module, command, f"--variant={which.variant}"]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        words += [flag] if value is True else [f"{flag}={value}"]
    async with child(which.python, *words, extra=extra) as process:
        yield process


async def ask(
    which: Engine, command: str, *, extra: Mapping[str, str] = NOTHING, **options: Any
) -> dict[str, Any]:
    """The one answer of a command that ends by itself."""
    async with engine(which, command, extra=extra, **options) as process:
        return await process.line()
