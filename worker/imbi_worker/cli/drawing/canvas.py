"""A terminal to draw on, with its width and its colours."""

from collections.abc import Sequence
from typing import Final, Self, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from imbi_worker.cli.drawing import layout

# Colours that were asked for by FORCE_COLOR go into a pipe, too; nothing is wrapped there.
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
    "old": "yellow",
    "duplicate": "yellow",
    "dead": "red",
    "failed": "red",
    "error": "red",
}


class Canvas:
    """Draws texts that hold no control characters any more."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @classmethod
    def on(cls, stream: TextIO) -> Self:
        width = None if stream.isatty() else _NO_LIMIT
        return cls(Console(file=stream, width=width, highlight=False, markup=False, emoji=False))

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        cells = [[_styled(value) for value in row] for row in rows]
        table = layout.columns(headers, cells, width=self._console.width)
        if table is not None:
            self._whole(table)
            return
        for row in cells:
            first, *lines = layout.block(headers, row, width=self._inner)
            self._print(first)
            for line in lines:
                self._hanging(line)

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        width = max((len(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            lines = layout.fact(f"{name:<{width}}", _styled(value), width=self._console.width)
            for line in lines:
                self._print(line)

    def heading(self, text: str) -> None:
        self._print(Text(f"\n{text}", style="bold"))

    def clear(self) -> None:
        if self._console.is_terminal:
            self._console.clear()
        else:
            self._console.print()

    def _whole(self, shown: RenderableType) -> None:
        """Without the blanks that fill it up to the edge: a pipe has no edge."""
        with self._console.capture() as captured:
            self._console.print(shown)
        lines = captured.get().splitlines()
        self._console.file.write("".join(f"{line.rstrip()}\n" for line in lines))
        self._console.file.flush()

    def _hanging(self, line: Text) -> None:
        """Indented; what does not fit goes on further in."""
        for nth, part in enumerate(line.wrap(self._console, self._inner)):
            part.rstrip()
            self._print(Text("    " if nth else "  ") + part)

    @property
    def _inner(self) -> int:
        """What is left of a line beside the deeper of the two indents."""
        return max(1, self._console.width - 4)

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def _styled(value: str) -> Text:
    return Text(value, style=_STYLES.get(value, ""))
