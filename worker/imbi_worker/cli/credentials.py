"""`imbi-worker credentials`: set them and see which are set; no value is ever printed."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from imbi_worker import wiring
from imbi_worker.cli import files
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import Output
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import credentials
from imbi_worker.operations.credentials import CredentialView
from imbi_worker.operations.errors import InvalidInput

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Set credentials in the graph; their values are never shown.",
)
_HEADERS = ("PLUGIN ID", "PLUGIN", "SERVICE", "FIELD", "NEED", "SET", "NOTE")


@app.command("list")
def list_credentials(
    plugin_id: Annotated[str | None, typer.Argument(help="Only this plugin id.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the fields of each configured plugin, and whether they are set."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        wiring.load()
        found = await credentials.list_credentials(session.graph, plugin_id)
        if as_json:
            output.records(found)
        else:
            output.table(_HEADERS, [_row(view) for view in found])

    execute(work, output)


@app.command("set")
def set_credential(
    plugin_id: Annotated[str, typer.Argument(help="The plugin id, from `credentials list`.")],
    field: Annotated[str, typer.Argument(help="The field, from `credentials list`.")],
    *,
    from_file: Annotated[
        Path | None, typer.Option(help="Read the value from this file; '-' is stdin.")
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Remove the field.")] = False,
    as_json: Json = False,
) -> None:
    """Set one credential: from a file, from stdin, or typed at a silent prompt.

    The value is never taken from the command line, where other users could read it. One
    line break at its end is dropped.
    """
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        if unset and from_file is not None:
            raise InvalidInput("--unset takes no value.")
        value = None if unset else _value(field, from_file)
        wiring.load()
        changed = await credentials.set_credential(session.graph, plugin_id, field, value)
        if as_json:
            output.record(changed)
        else:
            names = ", ".join(changed.fields) or "none"
            done = "removed" if unset else "set"
            output.say(f"{field} of {changed.plugin} ({plugin_id}) is {done}; set now: {names}.")
            output.say("Workers use it within 30 seconds.")

    execute(work, output)


def _value(field: str, path: Path | None) -> SecretStr:
    if path is not None:
        text = files.read(path).text
    elif sys.stdin.isatty():
        text = typer.prompt(field, hide_input=True, err=True)
    else:
        text = sys.stdin.read()
    return SecretStr(text.removesuffix("\n").removesuffix("\r"))


def _row(view: CredentialView) -> tuple[str, ...]:
    is_set = "unknown" if view.is_set is None else "yes" if view.is_set else "no"
    need = "required" if view.required else "optional"
    return (
        view.plugin_id,
        view.plugin,
        view.service or "",
        view.field,
        need,
        is_set,
        view.note,
    )
