"""`imbi-worker credentials`: see which are set, check, set and rotate them; no value is printed."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from imbi_worker import wiring
from imbi_worker.cli import files, questions
from imbi_worker.cli.changes.pace import Pace
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.cli.rotating import agrees, rotate_all
from imbi_worker.cli.session import Session, execute
from imbi_worker.graph import Neo4jSecrets
from imbi_worker.operations import credentials, rotation
from imbi_worker.operations.credential_check import CredentialCheck, check_credentials
from imbi_worker.operations.credentials import CredentialView
from imbi_worker.operations.errors import InvalidInput

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Set and rotate credentials in the graph; their values are never shown.",
)
_CHECK_HEADERS = ("PLUGIN ID", "PLUGIN", "STATUS", "KEY", "FIELDS", "DETAIL")
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


@app.command("check")
def check(
    wanted: Annotated[
        str | None, typer.Argument(metavar="[PLUGIN]", help="Only this plugin id, or this slug.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Check that workers can use what is stored: its key, and what it lacks."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> int:
        wiring.load()
        keys = rotation.key_ring()
        found = await check_credentials(session.graph, keys, wanted)
        if as_json:
            output.records(found)
        else:
            output.table(_CHECK_HEADERS, [_check_row(one) for one in found])
            _what_to_do(found, output)
        return FAILED if any(one.status == "failed" for one in found) else OK

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
        wiring.load()
        # Before anybody types a secret that has no place.
        wanted = None if unset else field
        record = await credentials.find_plugin(session.graph, plugin_id, field=wanted)
        value = None if unset else _value(field, from_file)
        changed = await credentials.set_credential(session.graph, record, field, value)
        if as_json:
            output.record(changed)
        else:
            names = ", ".join(changed.fields) or "none"
            done = "removed" if unset else "set"
            output.say(f"{field} of {changed.plugin} ({plugin_id}) is {done}; set now: {names}.")
            output.say("Workers use it within 30 seconds.")

    execute(work, output)


@app.command("rotate")
def rotate(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    rate: Annotated[str | None, typer.Option(help="At most so many: 5/s, 300/m.")] = None,
    as_json: Json = False,
) -> None:
    """Encrypt anew, under the one new key, every secret still under an old one.

    IMBI_AUTH_ENCRYPTION_KEY is the new key, IMBI_WORKER_OLD_ENCRYPTION_KEYS names the old
    ones. May be interrupted and repeated at any time. Exits with 1 when a secret is left over.
    """
    output = Output(as_json=as_json)
    try:
        pace = Pace(rate)
    except InvalidInput as error:
        raise typer.Exit(output.fail(error)) from None
    if not dry_run and not agrees(output, is_confirmed=yes):
        output.say("Nothing was rotated.")
        raise typer.Exit(FAILED)

    async def work(session: Session) -> int:
        keys = rotation.key_ring()
        return await rotate_all(Neo4jSecrets(session.graph), keys, output, pace, is_dry=dry_run)

    execute(work, output)


def _value(field: str, path: Path | None) -> SecretStr:
    if path is None and sys.stdin.isatty():
        text = questions.secret(field)
    else:
        text = files.read(path or files.STDIN).text
    return SecretStr(text.removesuffix("\n").removesuffix("\r"))


def _check_row(one: CredentialCheck) -> tuple[str, ...]:
    key = one.key or ""
    return (one.plugin_id, one.plugin, one.status, key, ", ".join(one.fields), one.detail)


def _what_to_do(found: Sequence[CredentialCheck], output: Output) -> None:
    """Each hint once, with the plugin ids that it is for."""
    hints = list(dict.fromkeys(one.hint for one in found if one.hint))
    if hints:
        output.heading("What to do")
    for hint in hints:
        ids = ", ".join(one.plugin_id for one in found if one.hint == hint)
        output.prose(f"{ids}: {hint}")


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
