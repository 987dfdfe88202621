"""Jobs: lists of them, and one with everything that is known."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from imbi_sdk.attempt import Redactor
from imbi_worker import operations
from imbi_worker.operations.errors import cursor_errors, no_job, operation_errors
from imbi_worker.queue.inspection import Inspection, outcomes
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.listing import Listing
from imbi_worker.queue.inspection.outcomes import End
from imbi_worker.queue.inspection.views import AttemptView, JobView, Page

_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class JobReport:
    """A job for the eye: config and event redacted, ``notes`` say what is missing and why."""

    job: JobView
    attempts: tuple[AttemptView, ...]
    context: dict[str, Any] = field(default_factory=dict)
    external_identifier: str = ""
    config: Any = None
    event: Any = None
    later_ran: bool = False
    notes: tuple[str, ...] = ()


async def list_jobs(
    inspection: Inspection, wanted: JobFilter, *, limit: int, cursor: str | None = None
) -> Page[JobView]:
    """A page of jobs.

    :raises InvalidInput: *cursor* is from another list
    :raises Unavailable: Redis does not answer
    """
    with operation_errors(), cursor_errors():
        return await Listing(inspection).jobs(wanted, limit=limit, cursor=cursor)


async def newest_ends(inspection: Inspection, wanted: JobFilter, *, limit: int) -> tuple[End, ...]:
    """The last ends that match among as many as a page looks at, the oldest of them first."""
    with operation_errors():
        found = await outcomes.newest_ends(
            inspection, limit if wanted == JobFilter() else _LOOKED_AT
        )
    return tuple(end for end in found if wanted.matches(end.job))[-limit:]


async def coming_ends(
    inspection: Inspection, wanted: JobFilter, *, after: str | None
) -> AsyncGenerator[End, None]:
    """Each end that matches, as it comes; close it to end."""
    with operation_errors():
        async with aclosing(outcomes.coming_ends(inspection, after)) as ends:
            async for end in ends:
                if wanted.matches(end.job):
                    yield end


async def show_job(
    inspection: Inspection, job: str, *, redactor: Redactor, with_event: bool = False
) -> JobReport:
    """Everything known of *job*.

    :raises NotFound: Redis does not know it
    """
    with operation_errors():
        stored = await inspection.stored(job, with_event=with_event)
    if stored is None:
        raise no_job(job)
    return operations.report(stored, redactor, with_event=with_event)
