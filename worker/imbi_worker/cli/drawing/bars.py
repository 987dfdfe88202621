"""The progress of long work, on a terminal."""

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


class ProgressBar:
    """One line that grows."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def to(self, count: int) -> None:
        self._progress.update(self._task, completed=count)

    def step(self, count: int = 1) -> None:
        self._progress.advance(self._task, count)


@contextmanager
def progress(label: str, total: int | None) -> Iterator[ProgressBar]:
    """A bar on stderr, gone at the end."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as shown:
        yield ProgressBar(shown, shown.add_task(label, total=total))
