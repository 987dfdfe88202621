"""Texts from files and from stdin."""

import sys
from collections.abc import Sequence
from pathlib import Path

from imbi_worker.cli.questions import heeding_ctrl_c
from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.sources import Source

STDIN = Path("-")


def read(path: Path) -> Source:
    """The text of a file; ``-`` is stdin.

    :raises InvalidInput: it cannot be read
    """
    try:
        if path == STDIN:
            with heeding_ctrl_c():
                return Source("stdin", sys.stdin.buffer.read().decode())
        return Source(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        name = "stdin" if path == STDIN else path
        raise InvalidInput(f"{name} is no UTF-8 text.") from None


def refuse_stdin_twice(paths: Sequence[Path | None]) -> None:
    """:raises InvalidInput: more than one of *paths* is stdin."""
    if sum(path == STDIN for path in paths) > 1:
        raise InvalidInput("Only one file can be read from stdin.")
