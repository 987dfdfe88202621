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
Utc: TypeAlias = Annotated[
    bool, typer.Option("--utc", help="Show moments in UTC, not how long ago they were.")
]
WithEvent: TypeAlias = Annotated[
    bool, typer.Option("--event", help="Print the event too, redacted.")
]
Filter: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILTER]...", help="Terms like plugin:github error:timeout 'age>1h'."),
]
Reason: TypeAlias = Annotated[str | None, typer.Option(help="Why, for the audit; required.")]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
For: TypeAlias = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="Ends after 30s, 5m, 1h, 2d.")
]
AllMatching: TypeAlias = Annotated[
    bool, typer.Option("--all-matching", help="Every unfinished job, or those the filters name.")
]
