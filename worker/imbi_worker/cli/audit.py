"""`imbi-worker audit`: who changed what, and why."""

from contextlib import aclosing
from typing import Annotated

import typer

from imbi_worker.cli.options import Json, Limit
from imbi_worker.cli.output import Output, counted, stamp
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import audit
from imbi_worker.queue.inspection.audit import AuditEntry
from imbi_worker.queue.inspection.replies import when

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at what operators changed.",
)


@app.callback()
def group() -> None:
    """Keeps the group a group while it has one command."""


@app.command("tail")
def tail(
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Print the last changes, the newest at the end.

    Each says when, who, what, how many jobs it touched, and why.
    """
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        found = await audit.newest(session.inspection, limit=limit)
        for entry in found:
            _tell(entry, output)
        if not found and not follow:
            output.say("Nothing found.")
        if not follow:
            return
        after = found[-1].id if found else "0-0"
        async with aclosing(audit.coming(session.inspection, after=after)) as entries:
            async for entry in entries:
                _tell(entry, output)

    execute(work, output)


def _tell(entry: AuditEntry, output: Output) -> None:
    if output.as_json:
        output.record(entry)
        return
    more = " ".join(
        f"{name} {_shown(name, value)}"
        for name, value in entry.more.items()
        if value not in {"", "0"}
    )
    told = f"({counted(entry.count, 'job')})"
    parts = (stamp(entry.at), entry.actor, entry.verb, entry.scope, told, more)
    reason = f": {entry.reason}" if entry.reason else ""
    output.prose(f"{'  '.join(part for part in parts if part)}{reason}")


def _shown(name: str, value: str) -> str:
    return stamp(when(value)) if name == "until" else value
