"""The checks of `imbi-worker check` that connect: all there are, or those of the fleet."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from imbi_sdk.errors import PluginSchemaCollisionError
from imbi_worker import wiring
from imbi_worker.cli import findings
from imbi_worker.cli.durations import parse
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.graph import Neo4jGraph
from imbi_worker.operations import checks
from imbi_worker.operations.checks import Finding
from imbi_worker.operations.errors import OperationError
from imbi_worker.operations.fleet import fleet_finding
from imbi_worker.queue import RedisAddressError
from imbi_worker.queue.inspection import Inspection
from imbi_worker.settings import Settings, SettingsError


def everything(*, as_json: bool) -> int:
    """Look at all there is, print it, and return the exit code."""
    return _told(asyncio.run(_findings()), Output(as_json=as_json))


def fleet(*, at_least: int, within: str, as_json: bool) -> int:
    """Look at the workers' heartbeats, print it, and return the exit code."""
    output = Output(as_json=as_json)
    try:
        span = parse(within)
    except OperationError as error:
        return output.fail(error)
    return _told([asyncio.run(_fleet(at_least, span))], output)


def _told(found: Sequence[Finding], output: Output) -> int:
    if output.as_json:
        output.records(found)
    else:
        rows = [(one.check, one.status, one.detail, one.hint) for one in found]
        output.table(("CHECK", "STATUS", "DETAIL", "HINT"), rows)
    return OK if checks.is_healthy(found) else FAILED


async def _fleet(at_least: int, within: timedelta) -> Finding:
    try:
        settings = Settings.load()
        redis = wiring.open_redis(settings)
    except (SettingsError, RedisAddressError) as error:
        return Finding("fleet", "failed", str(error), findings.README)
    try:
        inspection = Inspection(redis, queue=settings.queue)
        return await fleet_finding(inspection, at_least=at_least, within=within)
    finally:
        await redis.aclose()


async def _findings() -> list[Finding]:
    try:
        settings = Settings.load()
    except SettingsError as error:
        return [*findings.unreadable(error), checks.encryption_key()]
    return [
        *findings.readable(settings),
        *await findings.of_redis(settings, _redis),
        *await findings.of_graph(settings, _graph),
        _plugins(),
    ]


def _plugins() -> Finding:
    try:
        return checks.plugin_finding(wiring.load())
    except PluginSchemaCollisionError as error:
        return Finding("plugins", "failed", str(error), "Remove one of the two plugins.")


async def _redis(inspection: Inspection) -> list[Finding]:
    found = await checks.redis_findings(inspection)
    return found + await checks.worker_findings(inspection)


async def _graph(graph: Neo4jGraph) -> list[Finding]:
    return [await checks.graph_finding(graph)]
