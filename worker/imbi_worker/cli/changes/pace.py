"""Long work: its progress on a terminal, and how fast it may go."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from imbi_worker.operations.errors import InvalidInput

_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|m|h))?")
_SECONDS = {"s": 1, "m": 60, "h": 3_600}


class Pace:
    """Lets one through now and then; without a rate, at once."""

    def __init__(self, rate: str | None) -> None:
        """:raises InvalidInput: *rate* is no rate."""
        self._pause = 0.0 if rate is None else 1 / per_second(rate)
        self._next = 0.0

    async def turn(self) -> None:
        """Returns when the next one may go."""
        if not self._pause:
            return
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now)
        await asyncio.sleep(self._next - now)
        self._next += self._pause


def per_second(rate: str) -> float:
    """How many a second ``5/s``, ``300/m`` or ``1000/h`` are.

    :raises InvalidInput: it is no rate
    """
    match = _RATE.fullmatch(rate.strip())
    if match is None or not float(match[1]):
        raise InvalidInput(f"{rate!r} is no rate.", "Write 5/s, 300/m or 1000/h.")
    return float(match[1]) / _SECONDS[match[2] or "s"]


class Bar:
    """How far some work has come."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def to(self, count: int) -> None:
        self._progress.update(self._task, completed=count)

    def step(self, count: int = 1) -> None:
        self._progress.advance(self._task, count)


@contextmanager
def progress_bar(label: str, total: int | None, *, shows: bool = True) -> Iterator[Bar]:
    """On stderr, and only where somebody looks; gone at the end. Without *total* it only counts."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shows and console.is_terminal),
    ) as progress:
        yield Bar(progress, progress.add_task(label, total=total))
