"""`imbi-worker deliveries`: what came in, and what became of each rule for each project."""

from collections import Counter
from typing import Annotated

import typer

from imbi_worker.cli.options import Cursor, Json, Limit, Utc
from imbi_worker.cli.output import Cell, Output, one_line
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import deliveries
from imbi_worker.operations.deliveries import Matrix
from imbi_worker.queue.inspection.views import DeliveryView

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at deliveries, and at what became of their rules.",
)
_HEADERS = ("DELIVERY", "RECEIVED", "JOBS", "OPEN", "STATES")


@app.command("list")
def list_deliveries(
    *, limit: Limit = 50, cursor: Cursor = None, utc: Utc = False, as_json: Json = False
) -> None:
    """List deliveries, newest first, with the states of their jobs."""
    output = Output(as_json=as_json, is_utc=utc)

    async def work(session: Session) -> None:
        page = await deliveries.list_deliveries(session.inspection, limit=limit, cursor=cursor)
        if as_json:
            output.records(page.items)
        else:
            output.table(_HEADERS, [_row(one) for one in page.items])
        output.more(page)

    execute(work, output)


@app.command("show")
def show(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="A delivery's id.")],
    *,
    as_json: Json = False,
) -> None:
    """Show the matrix of a delivery: each rule, in order, by each project."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        found = await deliveries.show_delivery(session.inspection, delivery)
        if as_json:
            output.record(found)
        else:
            _show(found, output)

    execute(work, output)


def _row(one: DeliveryView) -> tuple[Cell, ...]:
    states = Counter(one.jobs.values())
    told = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    return (one.id, one.received, f"{len(one.jobs):,}", f"{one.open:,}", told)


def _show(found: Matrix, output: Output) -> None:
    output.facts(
        [
            ("delivery", found.delivery),
            ("received", found.received),
            ("open", f"{found.open:,}"),
        ]
    )
    if found.rows:
        output.heading("Rules by project")
        headers = ("RULE", *found.projects)
        rows = [
            (
                f"{row.ordinal}: {row.handler}",
                *(row.cells[one].state if one in row.cells else "" for one in found.projects),
            )
            for row in found.rows
        ]
        output.table(headers, rows)
    told = [
        (cell.job, cell.state, one_line(cell.detail))
        for row in found.rows
        for cell in row.cells.values()
        if cell.detail
    ]
    if told:
        output.heading("Why")
        output.table(("JOB", "STATE", "WHY"), told)
    for job, state in found.unknown.items():
        output.say(f"{job} is {state}; what else there was to it is not kept any more.")
