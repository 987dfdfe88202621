"""`imbi-worker tokens`: what opens the dashboard."""

from typing import Annotated

import typer

from imbi_worker.cli.options import Json
from imbi_worker.cli.output import OK, Output
from imbi_worker.cli.session import run_here
from imbi_worker.dashboard.access import InvalidToken, Role, make_token
from imbi_worker.operations.errors import InvalidInput

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Make tokens for the dashboard.",
)


@app.callback()
def group() -> None:
    """Keeps the group a group while it has one command."""


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is for, as audited.")],
    *,
    role: Annotated[Role, typer.Option(help="What its owner may do.")] = Role.VIEWER,
    as_json: Json = False,
) -> None:
    """Make a token and what the dashboard keeps of it; it is stored nowhere."""
    output = Output(as_json=as_json)

    def work() -> int:
        try:
            token, kept = make_token(name, role)
        except InvalidToken:
            hint = "Write letters, digits and . _ @ - only, 64 at most."
            raise InvalidInput(f"{name!r} is no name for a token.", hint) from None
        if as_json:
            output.record({"token": token, "kept": str(kept)})
            return OK
        output.facts([("token", token), ("kept", str(kept))])
        output.say("Give the token to its owner: it is not shown again.")
        output.say("Add what is kept to IMBI_WORKER_DASHBOARD_TOKENS, then restart the dashboard.")
        return OK

    run_here(work, output)
