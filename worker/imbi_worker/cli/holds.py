"""`imbi-worker holds`: what stops the queue, an integration or a handler."""

from typing import Annotated

import typer

from imbi_worker.cli import changes
from imbi_worker.cli.options import DryRun, For, Json, Reason, Utc
from imbi_worker.cli.output import Output
from imbi_worker.cli.rows import HOLD_HEADERS, hold_row
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import holds

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at holds, set and remove them.",
)
_SCOPE = "queue, plugin:<plugin id> or handler:<plugin>#<action>."


@app.command("list")
def list_holds(*, utc: Utc = False, as_json: Json = False) -> None:
    """List every hold: rate limits, pauses and those with an end."""
    output = Output(as_json=as_json, is_utc=utc)

    async def work(session: Session) -> None:
        found = await holds.list_holds(session.inspection)
        if as_json:
            output.records(found)
        else:
            output.table(HOLD_HEADERS, [hold_row(one) for one in found])

    execute(work, output)


@app.command("add")
def add(
    scope: Annotated[str, typer.Argument(help=_SCOPE)],
    *,
    span: For = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Hold the queue, an integration or a handler, for a time or until removed."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        found = holds.parse_scope(scope)
        await changes.hold(session, output, scope=found, span=span, reason=reason, is_dry=dry_run)

    execute(work, output)


@app.command("remove")
def remove(
    scope: Annotated[str, typer.Argument(help="As `holds list` shows it.")],
    *,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove a hold, a rate limit too, and give its parked jobs back in their order."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        await changes.release(session, output, scope=scope, reason=reason, is_dry=dry_run)

    execute(work, output)
