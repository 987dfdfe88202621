"""`imbi-worker graph`: the database that holds plugins and credentials."""

from dataclasses import dataclass

import typer

from imbi_worker.cli.options import Json
from imbi_worker.cli.output import Output
from imbi_worker.cli.session import Session, execute
from imbi_worker.graph import SCHEMA, apply_schema
from imbi_worker.operations.errors import operation_errors

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Prepare the graph database.")


@dataclass(frozen=True, slots=True)
class _Element:
    element: str
    created: bool


@app.callback()
def graph() -> None:
    """Keeps the group a group while it has one command."""


@app.command("schema")
def schema(*, as_json: Json = False) -> None:
    """Create the constraints and indexes that are missing; safe to repeat."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        with operation_errors():
            created = await apply_schema(session.graph)
        found = [_Element(str(one), one in created) for one in SCHEMA]
        if as_json:
            output.records(found)
        else:
            rows = [(one.element, "created" if one.created else "was there") for one in found]
            output.table(("ELEMENT", "RESULT"), rows)

    execute(work, output)
