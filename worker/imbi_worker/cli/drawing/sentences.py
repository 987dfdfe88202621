"""Sentences with characters that take two cells of a terminal, or none."""

from collections.abc import Iterator

from rich.cells import cell_len


def filled(text: str, width: int) -> str:
    """*text* with its longer lines broken between words; a word of more than a line stays whole.

    Not rich's own wrapping: it cuts such a word, or wraps nothing.
    """
    return "\n".join(part for line in text.split("\n") for part in _parts(line, width))


def _parts(line: str, width: int) -> Iterator[str]:
    part, *words = line.split(" ")
    for word in words:
        longer = f"{part} {word}"
        if cell_len(longer) <= width:
            part = longer
        else:
            yield part
            part = word
    yield part
