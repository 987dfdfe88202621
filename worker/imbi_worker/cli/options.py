"""Options that several commands share, so that they read alike everywhere."""

from typing import Annotated, TypeAlias

import typer

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Limit: TypeAlias = Annotated[int, typer.Option(min=1, max=1_000, help="Most lines to print.")]
Cursor: TypeAlias = Annotated[
    str | None, typer.Option(help="Go on where the last page ended; it is printed there.")
]
Handler: TypeAlias = Annotated[
    str | None, typer.Option(help="Only <plugin>#<action>, or all of <plugin>.")
]
Project: TypeAlias = Annotated[str | None, typer.Option(help="Only this project id.")]
Delivery: TypeAlias = Annotated[str | None, typer.Option(help="Only this delivery id.")]
ReasonContains: TypeAlias = Annotated[
    str | None, typer.Option(help="Only where reason or error contain this, in any case.")
]
JobId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="A job's id.")]
WithEvent: TypeAlias = Annotated[
    bool, typer.Option("--event", help="Print the event too, redacted.")
]
