"""`imbi-worker doctor`: everything that could be wrong, each with what to do about it."""

import asyncio

import typer

from imbi_sdk.errors import PluginSchemaCollisionError
from imbi_sdk.registry import LoadResult
from imbi_worker import wiring
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.graph import GraphMisconfigured
from imbi_worker.operations import checks
from imbi_worker.operations import doctor as doctoring
from imbi_worker.operations.checks import Finding
from imbi_worker.operations.diagnosis import diagnose_collision
from imbi_worker.queue import RedisAddressError
from imbi_worker.queue.inspection import Inspection
from imbi_worker.settings import Settings, SettingsError

_README = "See the settings in the README."


def doctor(*, as_json: Json = False) -> None:
    """Look for everything that could be wrong, and say what to do about each.

    More than `check`: Redis' clock, speed, room and scripts, the graph's constraints, a stored
    secret decrypted, plugins one by one, and whether all workers offer the same.
    """
    output = Output(as_json=as_json)
    findings = asyncio.run(_findings())
    if as_json:
        output.records(findings)
    else:
        _show(findings, output)
    raise typer.Exit(OK if checks.is_healthy(findings) else FAILED)


def _show(findings: list[Finding], output: Output) -> None:
    output.table(
        ("CHECK", "STATUS", "DETAIL"), [(one.check, one.status, one.detail) for one in findings]
    )
    wrong = [one for one in findings if one.status != "ok"]
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
        lines = str(error).splitlines()
        wrong = [Finding("settings", "failed", line, _README) for line in lines]
        return [*wrong, checks.encryption_key(), *plugins]
    return [
        Finding("settings", "ok", "readable"),
        checks.encryption_key(),
        checks.signing_key(settings.signing_keys, accepts_unsigned=settings.accept_unsigned),
        *await _redis(settings, result),
        *await _graph(settings),
        *plugins,
    ]


def _plugins() -> tuple[LoadResult | None, list[Finding]]:
    try:
        result = wiring.load()
    except PluginSchemaCollisionError as error:
        found = diagnose_collision(error)
        return None, [Finding("plugins", "failed", found.finding, f"{found.effect} {found.fix}")]
    return result, doctoring.plugin_findings(result)


async def _redis(settings: Settings, result: LoadResult | None) -> list[Finding]:
    try:
        redis = wiring.open_redis(settings)
    except (SettingsError, RedisAddressError) as error:
        return [Finding("Redis", "failed", str(error), _README)]
    try:
        inspection = Inspection(redis, queue=settings.queue)
        return [
            *await checks.redis_findings(inspection),
            *await doctoring.pulse_findings(inspection),
            *await checks.worker_findings(inspection),
            *await doctoring.fleet_findings(inspection, result),
        ]
    finally:
        await redis.aclose()


async def _graph(settings: Settings) -> list[Finding]:
    try:
        graph = wiring.open_graph(settings)
    except (SettingsError, GraphMisconfigured) as error:
        return [Finding("graph", "failed", str(error), _README)]
    try:
        answers = await checks.graph_finding(graph)
        if answers.status == "failed":
            return [answers]
        schema = await doctoring.schema_finding(graph)
        return [answers, schema, *await doctoring.canary_findings(graph)]
    finally:
        await graph.close()
