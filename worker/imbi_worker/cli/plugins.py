"""`imbi-worker plugins`: what is installed here, and what it can do."""

import json
from typing import Annotated

import typer

from imbi_worker import wiring
from imbi_worker.cli.new_plugin import new
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.cli.session import run_here
from imbi_worker.operations import plugins
from imbi_worker.operations.plugins import ActionView, PluginReport

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at the plugins installed here.",
)
app.command("new")(new)
_HEADERS = ("PLUGIN", "STATUS", "VERSION", "PACKAGE", "TYPE", "ACTIONS", "DETAIL")


@app.command("list")
def list_plugins(*, as_json: Json = False) -> None:
    """List the plugins, and what is wrong with them.

    Exits with 1 when one failed to load or has an action that cannot run.
    """
    output = Output(as_json=as_json)

    def work() -> int:
        found = plugins.overview(wiring.load())
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
        report = plugins.report(slug, wiring.load())
        if as_json:
            output.record(report)
        else:
            _show(report, output)
        return OK

    run_here(work, output)


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
            ("idempotent", "" if action.idempotent else "no: never repeated by itself"),
        )
    )
    output.text(json.dumps(action.config_schema, indent=2, ensure_ascii=False))
