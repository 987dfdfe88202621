"""`imbi-worker plugins`: what is installed here, and what it can do."""

import json
from typing import Annotated

import typer

from imbi_sdk.errors import PluginSchemaCollisionError
from imbi_sdk.registry import LoadResult
from imbi_worker import wiring
from imbi_worker.cli.new_plugin import new
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import FAILED, OK, Output, one_line
from imbi_worker.cli.session import run_here
from imbi_worker.operations import plugins
from imbi_worker.operations.diagnosis import Diagnosis, diagnose, diagnose_collision
from imbi_worker.operations.errors import Misconfigured
from imbi_worker.operations.plugins import ActionView, PluginReport

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at the plugins installed here.",
)
app.command("new")(new)
_DOCTOR_HEADERS = ("SUBJECT", "STATUS", "FINDING", "EFFECT", "WHAT TO DO")
_REPEATED = {
    True: "",
    False: "no: never repeated by itself",
    None: "only with a config that allows it",
}
_HEADERS = ("PLUGIN", "STATUS", "VERSION", "PACKAGE", "TYPE", "ACTIONS", "DETAIL")


@app.command("list")
def list_plugins(*, as_json: Json = False) -> None:
    """List the plugins, and what is wrong with them.

    Exits with 1 when one failed to load or has an action that cannot run.
    """
    output = Output(as_json=as_json)

    def work() -> int:
        found = plugins.overview(_load())
        if as_json:
            output.records(found)
        else:
            rows = [
                (
                    view.name,
                    view.status,
                    view.version,
                    view.package,
                    view.plugin_type,
                    ", ".join(view.actions),
                    view.detail,
                )
                for view in found
            ]
            output.table(_HEADERS, rows)
        is_good = all(view.status != "error" and not view.problems for view in found)
        return OK if is_good else FAILED

    run_here(work, output)


@app.command("show")
def show(
    slug: Annotated[str, typer.Argument(help="The plugin's slug.")], *, as_json: Json = False
) -> None:
    """Show one plugin: its credentials, its actions, the schemas of their configs."""
    output = Output(as_json=as_json)

    def work() -> int:
        report = plugins.report(slug, _load())
        if as_json:
            output.record(report)
        else:
            _show(report, output)
        return OK

    run_here(work, output)


@app.command("schema")
def schema(
    handler: Annotated[str, typer.Argument(help="The action, as <plugin>#<action>.")],
    *,
    as_json: Json = False,
) -> None:
    """Print the JSON Schema (draft 2020-12) of an action's config."""
    output = Output(as_json=as_json)

    def work() -> int:
        found = plugins.config_schema(handler, _load())
        if as_json:
            output.record(found)
        else:
            output.text(json.dumps(found, indent=2))
        return OK

    run_here(work, output)


@app.command("doctor")
def doctor(*, as_json: Json = False) -> None:
    """Explain every plugin that did not load or cannot run, and what mends it.

    Exits with 1 when something is wrong; warnings do not count.
    """
    output = Output(as_json=as_json)

    def work() -> int:
        found = _examine()
        if as_json:
            output.records(found)
        else:
            rows = [
                (one.subject, one.status, *map(one_line, (one.finding, one.effect, one.fix)))
                for one in found
            ]
            output.table(_DOCTOR_HEADERS, rows)
        return FAILED if any(one.status == "failed" for one in found) else OK

    run_here(work, output)


def _examine() -> tuple[Diagnosis, ...]:
    try:
        return diagnose(wiring.load())
    except PluginSchemaCollisionError as error:
        return (diagnose_collision(error),)


def _load() -> LoadResult:
    try:
        return wiring.load()
    except PluginSchemaCollisionError as error:
        raise Misconfigured(f"{error}.", "See `imbi-worker plugins doctor`.") from None


def _show(report: PluginReport, output: Output) -> None:
    output.facts(
        (
            ("plugin", report.slug),
            ("name", report.name),
            ("about", report.description or ""),
            ("type", report.plugin_type),
            ("package", f"{report.package} {report.version}"),
        )
    )
    if report.credentials:
        output.heading(f"Credentials ({report.auth_type})")
        rows = [
            (field.name, "required" if field.required else "optional", field.label)
            for field in report.credentials
        ]
        output.table(("FIELD", "NEED", "LABEL"), rows)
    for action in report.actions:
        _show_action(action, output)


def _show_action(action: ActionView, output: Output) -> None:
    output.heading(action.handler)
    timeout = action.timeout_seconds
    output.facts(
        (
            ("label", action.label),
            ("about", action.description or ""),
            ("problem", action.problem or ""),
            ("takes", action.takes or ""),
            ("timeout", "" if timeout is None else f"{timeout:g}s"),
            ("max attempts", str(action.max_attempts or "")),
            ("idempotent", _REPEATED[action.idempotent]),
        )
    )
    output.text(json.dumps(action.config_schema, indent=2, ensure_ascii=False))
