"""`imbi-worker workers`: who is there to run jobs."""

import typer

from imbi_worker.cli.options import Json, Utc
from imbi_worker.cli.output import Output
from imbi_worker.cli.rows import WORKER_HEADERS, worker_row
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations.errors import operation_errors

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at the workers.",
)


@app.callback()
def group() -> None:
    """Keeps the group a group while it has one command."""


@app.command("list")
def list_workers(*, utc: Utc = False, as_json: Json = False) -> None:
    """List the workers heard of in the last minutes: load, version, plugins."""
    output = Output(as_json=as_json, is_utc=utc)

    async def work(session: Session) -> None:
        with operation_errors():
            found = await session.inspection.workers()
        if as_json:
            output.records(found)
        else:
            output.table(WORKER_HEADERS, [worker_row(one) for one in found])

    execute(work, output)
