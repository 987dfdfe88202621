"""What else there is to see over HTTP: status, deliveries, workers, plugins, the audit."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from imbi_worker.dashboard.access import Person
from imbi_worker.dashboard.asking import PAGE, Cursor, Id, Limit, Question, whole
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.endpoint import Endpoint, Entries, TailEndpoint
from imbi_worker.operations import audit, checks, deliveries, doctor, plugins
from imbi_worker.operations.checks import Finding
from imbi_worker.operations.deliveries import Matrix
from imbi_worker.operations.errors import operation_errors
from imbi_worker.operations.plugins import PluginReport, PluginView
from imbi_worker.operations.status import Status, status
from imbi_worker.queue.inspection.audit import AuditEntry
from imbi_worker.queue.inspection.views import DeliveryView, Page, WorkerView


class StatusQuestion(Question):
    limit: Annotated[
        int,
        BeforeValidator(whole),
        Field(ge=1, le=100, description="Most running jobs and groups."),
    ] = 20


class DeliveriesQuestion(Question):
    limit: Limit = PAGE
    cursor: Cursor = None


class DeliveryQuestion(Question):
    delivery: Id


class PluginQuestion(Question):
    plugin: Id


class SchemaQuestion(Question):
    handler: Annotated[str, Field(max_length=500, description="`<plugin>#<action>`.")]


class AuditQuestion(Question):
    limit: Limit = PAGE


async def show_status(desk: Desk, _by: Person, asked: StatusQuestion) -> Status:
    return await status(desk.inspection, limit=asked.limit, timeout_of=desk.timeout_of)


async def list_deliveries(desk: Desk, _by: Person, asked: DeliveriesQuestion) -> Page[DeliveryView]:
    return await deliveries.list_deliveries(desk.inspection, limit=asked.limit, cursor=asked.cursor)


async def show_delivery(desk: Desk, _by: Person, asked: DeliveryQuestion) -> Matrix:
    return await deliveries.show_delivery(desk.inspection, asked.delivery)


async def list_workers(desk: Desk, _by: Person, _asked: Question) -> tuple[WorkerView, ...]:
    with operation_errors():
        return await desk.inspection.workers()


async def examine(desk: Desk, _by: Person, _asked: Question) -> tuple[Finding, ...]:
    """Keys and the graph are the workers' own: `imbi-worker doctor` beside one looks at them."""
    return (
        *await checks.redis_findings(desk.inspection),
        *await doctor.pulse_findings(desk.inspection),
        *await checks.worker_findings(desk.inspection),
        *await doctor.fleet_findings(desk.inspection, desk.plugins),
        *doctor.plugin_findings(desk.plugins),
    )


async def list_plugins(desk: Desk, _by: Person, _asked: Question) -> tuple[PluginView, ...]:
    return plugins.overview(desk.plugins)


async def show_plugin(desk: Desk, _by: Person, asked: PluginQuestion) -> PluginReport:
    return plugins.report(asked.plugin, desk.plugins)


async def show_schema(desk: Desk, _by: Person, asked: SchemaQuestion) -> dict[str, Any]:
    return plugins.config_schema(asked.handler, desk.plugins)


async def list_audit(desk: Desk, _by: Person, asked: AuditQuestion) -> tuple[AuditEntry, ...]:
    return await audit.newest(desk.inspection, limit=asked.limit)


async def tail_audit(desk: Desk, _asked: Question, after: str | None) -> Entries:
    if after is None:
        newest = await audit.newest(desk.inspection, limit=1)
        after = newest[-1].id if newest else "0-0"
    async with aclosing(audit.coming(desk.inspection, after=after)) as entries:
        async for entry in entries:
            yield entry.id, entry


ENDPOINTS: Final[Sequence[Endpoint]] = (
    Endpoint(
        "GET",
        "/status",
        "All of one screen: figures, running jobs, failures, holds, plugins, workers.",
        show_status,
        Status,
        asks=StatusQuestion,
    ),
    Endpoint(
        "GET",
        "/deliveries",
        "Deliveries, newest first, with the state of each of their jobs.",
        list_deliveries,
        Page[DeliveryView],
        asks=DeliveriesQuestion,
    ),
    Endpoint(
        "GET",
        "/deliveries/{delivery}",
        "One delivery as the matrix of its rules and projects.",
        show_delivery,
        Matrix,
        asks=DeliveryQuestion,
    ),
    Endpoint(
        "GET",
        "/workers",
        "The workers that were heard of in the last minutes.",
        list_workers,
        tuple[WorkerView, ...],
    ),
    Endpoint(
        "GET",
        "/doctor",
        "What could be wrong with Redis, the workers and the plugins here, and what to do.",
        examine,
        tuple[Finding, ...],
    ),
    Endpoint(
        "GET",
        "/plugins",
        "The plugins installed next to the dashboard, and what is wrong with them.",
        list_plugins,
        tuple[PluginView, ...],
    ),
    Endpoint(
        "GET",
        "/plugins/{plugin}",
        "One plugin: its credentials' names, its actions, the schemas of their configs.",
        show_plugin,
        PluginReport,
        asks=PluginQuestion,
    ),
    Endpoint(
        "GET",
        "/schema",
        "The JSON Schema (draft 2020-12) of an action's config.",
        show_schema,
        dict[str, Any],
        asks=SchemaQuestion,
    ),
    Endpoint(
        "GET",
        "/audit",
        "The last changes, the newest at the end.",
        list_audit,
        tuple[AuditEntry, ...],
        asks=AuditQuestion,
    ),
)
TAILS: Final[Sequence[TailEndpoint]] = (
    TailEndpoint("/audit/tail", "Changes as they are made.", tail_audit, AuditEntry),
)
