"""What plugins say past logging, as lines of the log: prints, warnings, errors of threads.

Python's own ways know no job and no redactor. A line of the log names the job, is masked
and is kept with the attempt.
"""

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from typing import Any, Final, TextIO

import structlog

from imbi_sdk.attempt import Redactor
from imbi_worker.observability.logs import configure_logs

# Whoever prints without a line break must not fill the memory.
_LONGEST_LINE: Final = 8_192


@contextmanager
def logged_output() -> Iterator[None]:
    """For the length of the block. Set up the logs first: they keep the stream they have."""
    thread_hook, unraisable_hook = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = _thread_failed, _unraisable
    logging.captureWarnings(capture=True)
    try:
        with _printing(partial(_log, "stdout"), partial(_log, "stderr")):
            yield
    finally:
        logging.captureWarnings(capture=False)
        threading.excepthook, sys.unraisablehook = thread_hook, unraisable_hook


@contextmanager
def masked_output(redactor: Redactor) -> Iterator[None]:
    """What is printed or logged in the block goes to stderr, masked: stdout is for the answer."""
    err, root = sys.stderr, logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def tell(line: str) -> None:
        err.write(f"{redactor.text(line)}\n")

    configure_logs(level="info", style="text", redactor=redactor, stream=err)
    try:
        with _printing(tell, tell):
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


@contextmanager
def _printing(out: Callable[[str], None], err: Callable[[str], None]) -> Iterator[None]:
    streams = _Printed(sys.stdout, out), _Printed(sys.stderr, err)
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(streams[0]))
        stack.enter_context(redirect_stderr(streams[1]))
        yield
    for stream in streams:
        stream.end_line()


def _log(name: str, line: str) -> None:
    # As an argument: a % of the line is no place for one.
    logging.getLogger(name).info("%s", line)


class _Printed(io.TextIOBase):
    """A text stream that tells its lines; for bytes and for child processes it is the real one."""

    def __init__(self, real: TextIO, tell: Callable[[str], None]) -> None:
        self._real = real
        self._tell = tell
        # Threads print too, and each has a line of its own.
        self._line = threading.local()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property here, as of every stream
        return self._real.encoding

    @property
    def buffer(self) -> Any:
        return self._real.buffer

    def fileno(self) -> int:
        return self._real.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, begun = f"{getattr(self._line, 'text', '')}{text}".split("\n")
        self._line.text = begun
        for line in filter(str.strip, lines):
            self._tell(line)
        if len(begun) > _LONGEST_LINE:
            self.end_line()
        return len(text)

    def end_line(self) -> None:
        """Tell what has been printed of a line."""
        begun, self._line.text = getattr(self._line, "text", ""), ""
        if begun.strip():
            self._tell(begun)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_type is SystemExit or failure.exc_value is None:
        return
    name = failure.thread.name if failure.thread is not None else "unknown"
    logging.getLogger("threading").error("thread %s failed", name, exc_info=failure.exc_value)


def _unraisable(failure: "sys.UnraisableHookArgs") -> None:
    logging.getLogger("python").error(
        "%s: %s",
        failure.err_msg or "Exception ignored",
        type(failure.object).__name__,
        exc_info=failure.exc_value,
    )
