"""What becomes of a command when nobody takes what it writes."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import typer

# As a shell says it of any program that ends so: it is no failure of what was asked.
NOT_READ: Final = 128 + signal.SIGPIPE
_FAILED: Final = 1
_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))


@contextmanager
def read_by_somebody() -> Iterator[None]:
    """Leave in silence when a pipe was closed, and with a reason when a disk is full.

    typer 0.29 and rich 15 end with 1 in the first case, as if the command had failed.
    """
    try:
        yield
    except BrokenPipeError:
        _write_no_more()
        raise typer.Exit(NOT_READ) from None
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):
            raise typer.Exit(NOT_READ) from None
        raise
    except OSError as error:
        if error.filename is not None or error.errno not in _NO_ROOM:
            raise
        with suppress(OSError):
            typer.echo(f"imbi-worker: the output cannot be written: {error.strerror}.", err=True)
        _write_no_more()
        raise typer.Exit(_FAILED) from None


def _write_no_more() -> None:
    """Else Python tries again at its very end, and complains."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
