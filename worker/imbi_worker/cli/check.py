"""`imbi-worker check`: could a worker run here, and does one."""

import asyncio

import typer

from imbi_sdk.errors import PluginSchemaCollisionError
from imbi_worker import wiring
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.graph import GraphMisconfigured
from imbi_worker.operations import checks
from imbi_worker.operations.checks import Finding
from imbi_worker.queue import RedisAddressError
from imbi_worker.queue.inspection import Inspection
from imbi_worker.settings import Settings, SettingsError

_README = "See the settings in the README."


def check(*, as_json: Json = False) -> None:
    """Check settings, keys, Redis, graph, plugins and workers.

    Exits with 1 when one of them failed; warnings do not count.
    """
    output = Output(as_json=as_json)
    findings = asyncio.run(_findings())
    if as_json:
        output.records(findings)
    else:
        rows = [(one.check, one.status, one.detail, one.hint) for one in findings]
        output.table(("CHECK", "STATUS", "DETAIL", "HINT"), rows)
    raise typer.Exit(OK if checks.is_healthy(findings) else FAILED)


async def _findings() -> list[Finding]:
    try:
        settings = Settings.load()
    except SettingsError as error:
        lines = str(error).splitlines()
        wrong = [Finding("settings", "failed", line, _README) for line in lines]
        return [*wrong, checks.encryption_key()]
    return [
        Finding("settings", "ok", "readable"),
        checks.encryption_key(),
        checks.signing_key(settings.signing_keys, accepts_unsigned=settings.accept_unsigned),
        *await _redis(settings),
        *await _graph(settings),
        _plugins(),
    ]


def _plugins() -> Finding:
    try:
        return checks.plugin_finding(wiring.load())
    except PluginSchemaCollisionError as error:
        return Finding("plugins", "failed", str(error), "Remove one of the two plugins.")


async def _redis(settings: Settings) -> list[Finding]:
    try:
        redis = wiring.open_redis(settings)
    except (SettingsError, RedisAddressError) as error:
        return [Finding("Redis", "failed", str(error), _README)]
    try:
        inspection = Inspection(redis, queue=settings.queue)
        found = await checks.redis_findings(inspection)
        return found + await checks.worker_findings(inspection)
    finally:
        await redis.aclose()


async def _graph(settings: Settings) -> list[Finding]:
    try:
        graph = wiring.open_graph(settings)
    except (SettingsError, GraphMisconfigured) as error:
        return [Finding("graph", "failed", str(error), _README)]
    try:
        return [await checks.graph_finding(graph)]
    finally:
        await graph.close()
