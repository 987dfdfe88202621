"""Data on stdout, talk on stderr: tables for people, JSON for programs."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from rich.console import Console, RenderableType
from rich.text import Text

from imbi_worker.cli import layout
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
from imbi_worker.queue.inspection.views import Page

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
# Into a file or a pipe nothing is wrapped.
_NO_LIMIT: Final = 100_000
_STYLES: Final = {
    "succeeded": "green",
    "ok": "green",
    "loaded": "green",
    "accepted": "green",
    "replayed": "green",
    "due": "green",
    "running": "cyan",
    "revived": "cyan",
    "asked": "cyan",
    "behind": "yellow",
    "held": "yellow",
    "missing": "red",
    "warning": "yellow",
    "duplicate": "yellow",
    "dead": "red",
    "failed": "red",
    "error": "red",
}


class Output:
    """Where a command writes, in the form that was asked for."""

    def __init__(self, *, as_json: bool, is_utc: bool = False) -> None:
        """In tables a moment is how long ago it was; with *is_utc* it is a date and a time."""
        self.as_json = as_json
        self._is_utc = is_utc
        self._out, self._talk = _console(sys.stdout), _console(sys.stderr)

    def record(self, value: object) -> None:
        """One JSON object."""
        self._out.file.write(f"{json.dumps(plain(value))}\n")

    def records(self, values: Iterable[object]) -> None:
        """JSON objects, one a line."""
        for value in values:
            self.record(value)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Columns without lines, or a block for each row where the terminal is too narrow.

        Says so when there is nothing.
        """
        if not rows:
            self.say("Nothing found.")
            return
        cells = [[self._cell(value) for value in row] for row in rows]
        table = layout.columns(headers, cells, width=self._out.width)
        if table is not None:
            self._whole(table)
            return
        for row in cells:
            first, *lines = layout.block(headers, row, width=self._inner)
            self._print(first)
            for line in lines:
                self._hanging(line)

    def facts(self, pairs: Iterable[tuple[str, Cell]]) -> None:
        """Names and values, one pair a line; those without a value are left out."""
        shown = [(name, _fact(value)) for name, value in pairs if value]
        width = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self._print(Text(f"{name:<{width}}  ", style="bold") + _text(value))

    def text(self, text: str) -> None:
        """Lines of data as they are, but for control characters."""
        self._print(Text(cleaned(text)))

    def prose(self, text: str) -> None:
        """A sentence of data, wrapped between its words."""
        self._whole(Text(cleaned(text)))

    def heading(self, text: str) -> None:
        self._print(Text(f"\n{text}", style="bold"))

    def say(self, text: str) -> None:
        """Something for the person at the terminal."""
        self._talk.print(Text(cleaned(text)), soft_wrap=True)

    def tell(self, facts: Mapping[str, object]) -> None:
        """The same for a program: an object on stderr."""
        self._talk.file.write(f"{json.dumps(plain(facts))}\n")

    def clear(self) -> None:
        """Begin again at the top of the screen; into a file or a pipe, with an empty line."""
        if self._out.is_terminal:
            self._out.clear()
        else:
            self._out.print()

    def flush(self) -> None:
        """Let a pipe have what was printed so far, for a command that goes on."""
        self._out.file.flush()

    def more(self, page: Page[Any]) -> None:
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

    def _cell(self, value: Cell) -> Text:
        if isinstance(value, datetime):
            return Text(stamp(value) if self._is_utc else age(value))
        return _text(value or "")

    def _whole(self, shown: RenderableType) -> None:
        """Without the blanks that fill it up to the edge: a pipe has no edge."""
        with self._out.capture() as captured:
            self._out.print(shown)
        lines = captured.get().splitlines()
        self._out.file.write("".join(f"{line.rstrip()}\n" for line in lines))

    def _hanging(self, line: Text) -> None:
        """Indented; what does not fit goes on further in."""
        for nth, part in enumerate(line.wrap(self._out, self._inner)):
            part.rstrip()
            self._print(Text("    " if nth else "  ") + part)

    @property
    def _inner(self) -> int:
        """What is left of a line beside the deeper of the two indents."""
        return max(1, self._out.width - 4)

    def _print(self, text: Text) -> None:
        self._out.print(text, soft_wrap=True)


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
    return f"{stamp(value)} ({age(value)})" if isinstance(value, datetime) else value or ""


def _text(value: str) -> Text:
    return Text(cleaned(value), style=_STYLES.get(value, ""))


def _console(stream: Any) -> Console:
    width = None if stream.isatty() else _NO_LIMIT
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
