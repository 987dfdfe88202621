"""`imbi-worker actions`: one action run here, past the queue."""

from pathlib import Path
from typing import Annotated, Any

import typer

from imbi_sdk.context import PluginContext
from imbi_worker import builtin, wiring
from imbi_worker.cli import durations, files
from imbi_worker.cli.options import DryRun, Json
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import enqueueing
from imbi_worker.operations.sources import parse_json
from imbi_worker.operations.trial import Trial, TrialReport, rehearse, run_here
from imbi_worker.operations.wording import span

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Run an action here, past the queue.",
)
_GOOD = frozenset({"succeeded", "skipped", "ready"})


@app.callback()
def group() -> None:
    """Keeps the group a group while it has one command."""


@app.command("run")
def run(
    handler: Annotated[str, typer.Argument(help="<plugin>#<action>.")],
    *,
    event: Annotated[Path, typer.Option(help="An event context; '-' is stdin.")],
    config: Annotated[Path | None, typer.Option(help="The handler_config; {} without it.")] = None,
    plugin_id: Annotated[
        str | None, typer.Option(help="The plugin id in the graph, whose credentials are used.")
    ] = None,
    project: Annotated[
        str, typer.Option(metavar="ID[:SLUG]", help="The project it runs for.")
    ] = "cli",
    org: Annotated[str, typer.Option(help="Slug of the organization.")] = "cli",
    team: Annotated[str | None, typer.Option(help="Slug of the team.")] = None,
    external_identifier: Annotated[
        str, typer.Option(help="What the service calls the project.")
    ] = "",
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="In place of the action's own.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Run an action once, here and for real, and say what a worker would make of it.

    Nothing is enqueued, retried or recorded. Exits with 1 unless it succeeds or skips.
    """
    output = Output(as_json=as_json)

    async def work(session: Session) -> int:
        files.refuse_stdin_twice([event, config])
        found = enqueueing.event_of_file(files.read(event))
        trial = Trial(
            handler=handler,
            event=found,
            config="{}" if config is None else _config(config),
            context=_context(project, org, team, found),
            external_identifier=external_identifier,
            plugin_id=plugin_id,
            timeout=None if timeout is None else durations.parse(timeout),
        )
        return _tell(await _try(trial, session, is_dry=dry_run), output)

    execute(work, output)


def _config(path: Path) -> str:
    source = files.read(path)
    parse_json(source)
    return source.text


async def _try(trial: Trial, session: Session, *, is_dry: bool) -> TrialReport:
    wiring.load(within=session.settings.import_timeout)
    store = None if trial.plugin_id is None else wiring.open_store(session.settings)
    if not is_dry:
        # Else the action would seem to take as long as its libraries take to load.
        builtin.prepare()
    try:
        return await (rehearse if is_dry else run_here)(trial, store)
    finally:
        await builtin.close()
        if store is not None:
            await store.close()


def _tell(done: TrialReport, output: Output) -> int:
    if output.as_json:
        output.record(done)
    else:
        output.facts(
            [
                ("handler", done.handler),
                ("outcome", done.outcome),
                ("detail", done.detail),
                ("took", span(done.duration)),
            ]
        )
        if done.trace:
            output.heading("Traceback")
            output.text(done.trace)
    return OK if done.outcome in _GOOD else FAILED


def _context(project: str, org: str, team: str | None, event: dict[str, Any]) -> PluginContext:
    target = enqueueing.target(project, org=org, team=team, service=None, external="")
    service = event.get("third_party_service")
    options = {"service_slug": service} if isinstance(service, str) else {}
    return PluginContext(
        project_id=target.context.project_id,
        project_slug=target.context.project_slug,
        org_slug=org,
        team_slug=team,
        assignment_options=options,
    )
