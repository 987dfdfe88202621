"""Looking at what a run lets out: its errors before they are redacted, its logs, its prints."""

import asyncio
import io
import logging
from collections.abc import Coroutine, Generator, Iterable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any, Final, TypeVar

from imbi_sdk.attempt import Redactor

_T = TypeVar("_T")
_LAST_WAIT: Final = timedelta(seconds=1)


class OpenRedactor(Redactor):
    """Masks nothing, so that a test sees what the worker would have had to hide."""

    def text(self, text: str, *, limit: int = 0) -> str:
        del limit
        return text

    def trace(self, text: str, *, limit: int = 0) -> str:
        del limit
        return text


class Overheard:
    """Everything that was logged or printed in a block, one text a line or record."""

    def __init__(self) -> None:
        self._records = _Records()
        self._printed = io.StringIO()

    @property
    def texts(self) -> list[str]:
        return [*self._records.texts, self._printed.getvalue()]

    @contextmanager
    def listening(self, package: str) -> Generator[None]:
        """Hear the loggers of *package* from DEBUG on, all others from INFO on."""
        root, own = logging.getLogger(), logging.getLogger(package)
        levels = root.level, own.level
        root.addHandler(self._records)
        root.setLevel(min(root.level, logging.INFO))
        own.setLevel(logging.DEBUG)
        try:
            with redirect_stdout(self._printed), redirect_stderr(self._printed):
                yield
        finally:
            root.removeHandler(self._records)
            root.setLevel(levels[0])
            own.setLevel(levels[1])


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # With the fields of ``extra``: structured logs write them out.
        self.texts.append(f"{self.format(record)} {vars(record)}")


def is_shown(secrets: Iterable[str], text: str) -> bool:
    """Whether *text* holds one of *secrets*, plain or in an encoding the redactor knows."""
    secrets = tuple(secrets)
    if any(secret in text for secret in secrets):
        return True
    knowing, limit = Redactor(), len(text) + 1
    knowing.register(secrets)
    return knowing.text(text, limit=limit) != Redactor().text(text, limit=limit)


def in_own_loop(work: Coroutine[Any, Any, _T]) -> _T:
    """Run *work* to its end in a loop of its own.

    Unlike ``asyncio.run`` it comes back when a task swallows its cancel for ever.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(_end_others())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=_LAST_WAIT.total_seconds())
