"""Rows on a terminal: columns where they fit, else a block for each row.

No word is cut in two that somebody may want to copy.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

# A column that is narrower breaks a sentence after every other word.
_READABLE: Final = 20
# An id is never folded; a longer word is an address or a part of a body.
_LONGEST_WORD: Final = 40
_GAP: Final = "  "


def columns(headers: Sequence[str], rows: Sequence[Sequence[Text]], *, width: int) -> Table | None:
    """A table without lines; None where *width* is too little to read it."""
    found = list(zip(map(Text, headers), *rows, strict=True))
    whole = [max(cell_len(cell.plain) for cell in column) for column in found]
    # No name in a first column is cut or folded.
    needed = [whole[0], *(_needed(column) for column in found[1:])]
    room = width - len(_GAP) * (len(needed) - 1)
    if sum(needed) > room:
        return None
    table = Table(box=None, pad_edge=False, header_style="bold")
    # Left to itself rich takes from the widest column, and cuts its words.
    for header, fitting in zip(headers, _fitting(whole, needed, room), strict=True):
        table.add_column(header, overflow="fold", width=fitting)
    for row in rows:
        table.add_row(*row)
    return table


def block(headers: Sequence[str], row: Sequence[Text], *, width: int) -> Iterator[Text]:
    """The lines of one row: its first cell, then names and values, as many as fit on each."""
    first, *rest = row
    is_count = first.plain.replace(",", "").isdigit()
    title = f"{headers[0].lower()} " if is_count else ""
    yield Text.assemble(title, first, style="bold")
    named = zip(headers[1:], rest, strict=True)
    pairs = [Text.assemble((f"{name.lower()} ", "dim"), cell) for name, cell in named if cell]
    yield from _filled(pairs, width=width)


def fact(name: str, value: Text, *, width: int) -> Iterator[Text]:
    """A name and its value, which goes on below itself where it does not fit.

    A value with a longer word stands below its name, so that the word stays whole.
    """
    title = f"{name}{_GAP}"
    beside = width - cell_len(title)
    if cell_len(value.plain) <= beside:
        yield Text.assemble((title, "bold"), value)
        return
    longest = max((cell_len(word) for word in value.plain.split()), default=0)
    is_beside = max(longest, _READABLE) <= beside
    indent = width - beside if is_beside else len(_GAP)
    if not is_beside:
        yield Text(name.rstrip(), style="bold")
    for nth, line in enumerate(value.wrap(Console(width=width), max(1, width - indent, longest))):
        line.rstrip()
        is_first = is_beside and nth == 0
        yield Text.assemble((title, "bold") if is_first else " " * indent, line)


def _fitting(whole: Sequence[int], needed: Sequence[int], room: int) -> Sequence[int]:
    """Widths that fill *room* at most: what is too much goes from each as far as it can spare."""
    spare = [most - least for most, least in zip(whole, needed, strict=True)]
    excess = max(0, sum(whole) - room)
    widths: list[int] = []
    for nth, (most, one) in enumerate(zip(whole, spare, strict=True)):
        # Of what the columns from here on can spare, this one's share; the last has the rest.
        left = sum(spare[nth:])
        share = -(-excess * one // left) if left else 0
        excess -= share
        widths.append(most - share)
    return widths


def _needed(column: Iterable[Text]) -> int:
    """What a column needs: its longest word, and room for a few of them in a row."""
    least = 0
    for cell in column:
        words = max((cell_len(word) for word in cell.plain.split()), default=0)
        least = max(least, min(words, _LONGEST_WORD), min(cell_len(cell.plain), _READABLE))
    return least


def _filled(pairs: Sequence[Text], *, width: int) -> Iterator[Text]:
    line = Text()
    for pair in pairs:
        gap = _GAP if line else ""
        if gap and cell_len(line.plain) + len(gap) + cell_len(pair.plain) > width:
            yield line
            line, gap = Text(), ""
        line = Text.assemble(line, gap, pair)
    if line:
        yield line
