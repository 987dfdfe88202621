"""Long work: its progress on a terminal, and how fast it may go."""

import asyncio
import re
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from imbi_worker.cli import drawing
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


class Bar(Protocol):
    """How far some work has come."""

    def to(self, count: int) -> None: ...

    def step(self, count: int = 1) -> None: ...


class _Unseen:
    """A bar that nobody looks at."""

    def to(self, count: int) -> None:
        pass

    def step(self, count: int = 1) -> None:
        pass


def progress_bar(
    label: str, total: int | None, *, shows: bool = True
) -> AbstractContextManager[Bar]:
    """On stderr, and only where somebody looks; gone at the end. Without *total* it only counts.

    A single step has no progress to show.
    """
    if shows and total != 1 and sys.stderr.isatty():
        return drawing.progress(label, total)
    return nullcontext(_Unseen())
