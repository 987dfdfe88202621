"""Texts from files and from stdin."""

import sys
from collections.abc import Sequence
from pathlib import Path

from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.sources import Source

STDIN = Path("-")


def read(path: Path) -> Source:
    """The text of a file; ``-`` is stdin.

    :raises InvalidInput: it cannot be read
    """
    if path == STDIN:
        return Source("stdin", sys.stdin.read())
    try:
        return Source(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is no UTF-8 text.") from None


def refuse_stdin_twice(paths: Sequence[Path | None]) -> None:
    """:raises InvalidInput: more than one of *paths* is stdin."""
    if sum(path == STDIN for path in paths) > 1:
        raise InvalidInput("Only one file can be read from stdin.")
