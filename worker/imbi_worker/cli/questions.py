"""Questions to whoever sits at the terminal: on stderr, and ended by Ctrl-C."""

import select
import signal
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from imbi_worker.cli.output import INTERRUPTED, Output
from imbi_worker.operations.errors import InvalidInput

# What a terminal gives as one line at the most (Linux); it drops the rest without a word.
_LONGEST_LINE: Final = 4095
_MOMENT_SECONDS: Final = 0.1
_FROM_FILE: Final = "Give it with --from-file."
_HINT = "Pass --yes, or look first with --dry-run."


def agrees(question: str, stakes: str, output: Output, *, is_confirmed: bool) -> bool:
    """Ask at a terminal, unless *is_confirmed*; *stakes* is what nobody could be asked about.

    Leaves with exit code 2 where nobody can answer, and with 130 at Ctrl-C.
    """
    if is_confirmed:
        return True
    if not sys.stdin.isatty():
        error = InvalidInput(f"{stakes}, and nobody can be asked here.", _HINT)
        raise typer.Exit(output.fail(error))
    with heeding_ctrl_c():
        # Not typer.confirm: it writes a blank to stdout.
        typer.echo(f"{question} [y/N] ", nl=False, err=True)
        answer = sys.stdin.readline()
    if not answer:
        typer.echo(err=True)
    return answer.strip().casefold() in {"y", "yes"}


def secret(name: str) -> str:
    """A line typed here and not shown; empty at Ctrl-D.

    :raises InvalidInput: what was pasted does not fit into a line
    """
    descriptor = sys.stdin.fileno()
    usual = termios.tcgetattr(descriptor)
    silent = termios.tcgetattr(descriptor)
    silent[3] &= ~termios.ECHO
    with heeding_ctrl_c():
        try:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
            typer.echo(f"{name}: ", nl=False, err=True)
            line = sys.stdin.readline()
            # A key of many lines, pasted: the rest of it must not go to the shell.
            has_more = bool(select.select([descriptor], [], [], _MOMENT_SECONDS)[0])
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, usual)
    typer.echo(err=True)
    if line and has_more:
        raise InvalidInput("More than one line was given.", _FROM_FILE)
    if len(line.encode(errors="replace")) >= _LONGEST_LINE:
        raise InvalidInput("The value is longer than a terminal's line can be.", _FROM_FILE)
    return line


@contextmanager
def heeding_ctrl_c() -> Iterator[None]:
    """Leave with exit code 130 when Ctrl-C meets what waits for input within this.

    A running event loop takes the signal for itself, and would wait for the input to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, before)
