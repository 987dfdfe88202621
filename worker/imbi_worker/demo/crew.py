"""The demo's workers: real processes, which can be killed one by one."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STOP_SECONDS: Final = 8.0
_LINES_SHOWN: Final = 12
# The process asks to die with the demo before it does anything else. The command is named in
# a text, not imported: arrows of this package point down, and the command line stands above.
_LAUNCH: Final = """\
import sys
from imbi_worker.embedded.keeper import die_with
ask = die_with(int(sys.argv.pop(1)))
if ask is not None:
    ask()
from imbi_worker.cli import main
main()
"""


class CrewError(Exception):
    """A worker ended that should not have; the text ends with its last log lines."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process; *name* is for people."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    def last_words(self) -> str:
        """The end of its log. The worker has redacted every line."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]
        return "\n".join([f"{self.name} (process {self.process.pid}), end of its log:", *lines])


class Crew:
    """The workers of one demo."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = tuple(workers)

    @classmethod
    async def start(cls, count: int, environment: Mapping[str, str], directory: Path) -> "Crew":
        """Start *count* workers with *environment*; logs go to *directory*."""
        return cls(
            [await _start(f"worker {n}", environment, directory) for n in range(1, count + 1)]
        )

    def worker(self, worker_id: str | None) -> Worker | None:
        """Whose id that is; an id reads host-process-chance."""
        pid = (worker_id or "").rsplit("-", 2)[1:2]
        found = (worker for worker in self.workers if [str(worker.process.pid)] == pid)
        return next(found, None)

    def check(self) -> None:
        """:raises CrewError: a worker has ended by itself."""
        for worker in self.workers:
            if worker.process.returncode not in {None, -signal.SIGKILL}:
                raise CrewError(f"{worker.name} ended by itself.\n{worker.last_words()}")

    def last_words(self) -> str:
        return "\n\n".join(worker.last_words() for worker in self.workers)

    async def stop(self) -> None:
        """SIGTERM for all, and SIGKILL for who does not end; returns when all are gone."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.process.terminate()
        await asyncio.gather(*(_end(worker.process) for worker in self.workers))


async def _start(name: str, environment: Mapping[str, str], directory: Path) -> Worker:
    log = directory / f"{name.replace(' ', '-')}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-c",
            _LAUNCH,
            str(os.getpid()),
            "run",
            "--demo-plugin",
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C is for the demo, which then stops its workers.
            start_new_session=True,
        )
    return Worker(name, process, log)


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
