"""Questions to whoever sits at the terminal: on stderr, and before there is an event loop.

A running loop would keep Ctrl-C from the question.
"""

import sys

import typer

from imbi_worker.cli.output import INTERRUPTED, Output
from imbi_worker.operations.errors import InvalidInput

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
    # Not typer.confirm: it writes a blank to stdout.
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        typer.echo(err=True)
        raise typer.Exit(INTERRUPTED) from None
    if not answer:
        typer.echo(err=True)
    return answer.strip().casefold() in {"y", "yes"}
