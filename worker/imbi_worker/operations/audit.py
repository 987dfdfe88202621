"""The audit: who changed what, and why."""

from collections.abc import AsyncGenerator

from imbi_worker.operations.errors import operation_errors
from imbi_worker.queue.inspection import Inspection, audit
from imbi_worker.queue.inspection.audit import AuditEntry


async def newest(inspection: Inspection, *, limit: int) -> tuple[AuditEntry, ...]:
    """The last entries, the oldest of them first.

    :raises Unavailable: Redis does not answer
    """
    with operation_errors():
        return await audit.newest(inspection, limit)


async def coming(inspection: Inspection, *, after: str) -> AsyncGenerator[AuditEntry, None]:
    """Each entry after the one with this id, as it is written; close it to end."""
    with operation_errors():
        async for entry in audit.coming(inspection, after):
            yield entry
