"""`imbi-worker doctor`: everything that could be wrong, each with what to do about it."""

import asyncio

import typer

from imbi_sdk.errors import PluginSchemaCollisionError
from imbi_sdk.registry import LoadResult
from imbi_worker import wiring
from imbi_worker.cli import findings
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.graph import Neo4jGraph
from imbi_worker.operations import checks
from imbi_worker.operations import doctor as doctoring
from imbi_worker.operations.checks import Finding
from imbi_worker.operations.diagnosis import diagnose_collision
from imbi_worker.queue.inspection import Inspection
from imbi_worker.settings import Settings, SettingsError


def doctor(*, as_json: Json = False) -> None:
    """Look for everything that could be wrong, and say what to do about each.

    More than `check`: Redis' clock, speed, room and scripts, the graph's constraints, a stored
    secret decrypted, plugins one by one, and whether all workers offer the same.
    """
    output = Output(as_json=as_json)
    found = asyncio.run(_findings())
    if as_json:
        output.records(found)
    else:
        _show(found, output)
    raise typer.Exit(OK if checks.is_healthy(found) else FAILED)


def _show(found: list[Finding], output: Output) -> None:
    output.table(
        ("CHECK", "STATUS", "DETAIL"), [(one.check, one.status, one.detail) for one in found]
    )
    wrong = [one for one in found if one.status != "ok"]
    if not wrong:
        output.say("Nothing is wrong.")
        return
    output.heading("What to do")
    for one in wrong:
        output.prose(f"{one.check}: {one.hint or one.detail}")


async def _findings() -> list[Finding]:
    result, plugins = _plugins()
    try:
        settings = Settings.load()
    except SettingsError as error:
        return [*findings.unreadable(error), checks.encryption_key(), *plugins]

    async def redis(inspection: Inspection) -> list[Finding]:
        return [
            *await checks.redis_findings(inspection),
            *await doctoring.pulse_findings(inspection),
            *await checks.worker_findings(inspection),
            *await doctoring.fleet_findings(inspection, result),
        ]

    return [
        *findings.readable(settings),
        *await findings.of_redis(settings, redis),
        *await findings.of_graph(settings, _graph),
        *plugins,
    ]


def _plugins() -> tuple[LoadResult | None, list[Finding]]:
    try:
        result = wiring.load()
    except PluginSchemaCollisionError as error:
        found = diagnose_collision(error)
        return None, [Finding("plugins", "failed", found.finding, f"{found.effect} {found.fix}")]
    return result, doctoring.plugin_findings(result)


async def _graph(graph: Neo4jGraph) -> list[Finding]:
    answers = await checks.graph_finding(graph)
    if answers.status == "failed":
        return [answers]
    schema = await doctoring.schema_finding(graph)
    return [answers, schema, *await doctoring.canary_findings(graph)]
