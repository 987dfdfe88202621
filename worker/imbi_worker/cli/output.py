"""Data on stdout, talk on stderr: tables for people, JSON for programs.

Sentences and JSON are written as they are; the rest is drawn (``drawing``).
"""

import json
import os
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TextIO, TypeAlias

from imbi_worker.cli import drawing
from imbi_worker.operations.errors import (
    InvalidInput,
    Misconfigured,
    NotFound,
    OperationError,
    Refused,
    Unavailable,
)
from imbi_worker.operations.json_form import moment as moment
from imbi_worker.operations.json_form import plain as plain
from imbi_worker.operations.wording import age as age
from imbi_worker.operations.wording import counted as counted
from imbi_worker.operations.wording import one_line as one_line
from imbi_worker.queue import inspection

Cell: TypeAlias = str | datetime | None

OK: Final = 0
FAILED: Final = 1
INTERRUPTED: Final = 130
_EXIT_CODES: Final[Mapping[type[OperationError], int]] = {
    InvalidInput: 2,
    NotFound: 3,
    Refused: 4,
    Unavailable: 69,
    Misconfigured: 78,
}


class Output:
    """Where a command writes, in the form that was asked for.

    Each call lets a pipe have what it wrote: whoever reads need not wait for the next, and a pipe
    that was closed is found while the command runs, and not after its end.
    """

    def __init__(self, *, as_json: bool, is_utc: bool = False) -> None:
        """In tables a moment is how long ago it was; with *is_utc* it is a date and a time."""
        self.as_json = as_json
        self._is_utc = is_utc
        self._out, self._talk = sys.stdout, sys.stderr

    def record(self, value: object) -> None:
        """One JSON object."""
        self.records([value])

    def records(self, values: Iterable[object]) -> None:
        """JSON objects, one a line."""
        for value in values:
            self._out.write(f"{json.dumps(plain(value))}\n")
        self._out.flush()

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Columns without lines, or a block for each row where the terminal is too narrow.

        Says so when there is nothing.
        """
        if rows:
            self._canvas.table(headers, [[self._cell(value) for value in row] for row in rows])
        else:
            self.say("Nothing found.")

    def facts(self, pairs: Iterable[tuple[str, Cell]]) -> None:
        """Names and values, one pair a line; those without a value are left out."""
        self._canvas.facts([(name, _fact(value)) for name, value in pairs if value])

    def text(self, text: str) -> None:
        """Lines of data as they are, but for control characters."""
        print(cleaned(text), file=self._out, flush=True)

    def prose(self, text: str) -> None:
        """A sentence of data, wrapped between its words."""
        print(_wrapped(cleaned(text), self._out), file=self._out, flush=True)

    def heading(self, text: str) -> None:
        self._canvas.heading(text)

    def say(self, text: str) -> None:
        """Something for the person at the terminal."""
        print(_wrapped(cleaned(text), self._talk), file=self._talk, flush=True)

    def tell(self, facts: Mapping[str, object]) -> None:
        """The same for a program: an object on stderr."""
        self._talk.write(f"{json.dumps(plain(facts))}\n")

    def clear(self) -> None:
        """Begin again at the top of the screen; into a file or a pipe, with an empty line."""
        self._canvas.clear()

    def more(self, page: "inspection.Page[Any]") -> None:
        """That a list goes on, and how to go on with it."""
        if page.cursor is None:
            return
        if self.as_json:
            self.tell({"more": page.remaining, "is_exact": page.is_exact, "cursor": page.cursor})
            return
        count = f"{page.remaining:,}"
        what = f"{count} more" if page.is_exact else f"more among {count} not looked at yet"
        self.say(f"… {what}: --cursor {page.cursor}")

    def fail(self, error: OperationError) -> int:
        """Tell what went wrong; the exit code that says the same."""
        kind = next(one for one in _EXIT_CODES if isinstance(error, one))
        if self.as_json:
            told = {"kind": kind.__name__, "message": error.message, "hint": error.hint}
            self.tell({"error": told})
        else:
            self.say(f"imbi-worker: {error.message}")
            if error.hint:
                self.say(error.hint)
        return _EXIT_CODES[kind]

    @cached_property
    def _canvas(self) -> "drawing.Canvas | drawing.Sheet":
        has_colours = self._out.isatty() or bool(os.environ.get("FORCE_COLOR"))
        return drawing.Canvas.on(self._out) if has_colours else drawing.Sheet(self._out)

    def _cell(self, value: Cell) -> str:
        if isinstance(value, datetime):
            return stamp(value) if self._is_utc else age(value)
        return cleaned(value or "")


def _wrapped(text: str, stream: TextIO) -> str:
    """*text* with its longer lines broken between words where *stream* is a terminal."""
    width = _width(stream)
    if width and not text.isascii():
        return drawing.filled(text, width)
    lines = [
        _broken(line, width) if width and len(line) > width else line for line in text.split("\n")
    ]
    return "\n".join(lines)


def _width(stream: TextIO) -> int:
    """The columns of a terminal, as rich counts them; 0 for a pipe and one that does not know."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and stream.isatty():
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def _broken(line: str, width: int) -> str:
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)


def stamp(at: datetime | None) -> str:
    """A moment as people read it; empty for none."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def cleaned(text: str) -> str:
    """*text* without control characters: data must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    # Cf holds the marks that turn the direction of writing.
    is_control = unicodedata.category(character) in {"Cc", "Cf", "Cs"}
    return "\N{REPLACEMENT CHARACTER}" if is_control and character not in "\n\t" else character


def _fact(value: Cell) -> str:
    told = f"{stamp(value)} ({age(value)})" if isinstance(value, datetime) else value or ""
    return cleaned(told)
