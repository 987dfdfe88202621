"""Jobs: lists of them, and one with everything that is known."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from imbi_sdk.attempt import Redactor
from imbi_sdk.queue import WireError
from imbi_sdk.queue.wire import decode
from imbi_worker.operations.errors import InvalidInput, NotFound, operation_errors
from imbi_worker.operations.redaction import redacted
from imbi_worker.queue.inspection import Inspection, outcomes
from imbi_worker.queue.inspection.listing import InvalidCursor, JobFilter, Listing
from imbi_worker.queue.inspection.outcomes import End
from imbi_worker.queue.inspection.views import AttemptView, JobView, Page, StoredJob

_LOOKED_AT = 10_000
_NO_JOB = "See `imbi-worker jobs list`; a job that ended well is forgotten after 24 hours."


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
    with operation_errors():
        try:
            return await Listing(inspection).jobs(wanted, limit=limit, cursor=cursor)
        except InvalidCursor as error:
            hint = "Leave --cursor out to begin at the top."
            raise InvalidInput(f"{error}.", hint) from None


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
        raise NotFound(f"There is no job {job!r}.", _NO_JOB)
    return report(stored, redactor, with_event=with_event)


def report(stored: StoredJob, redactor: Redactor, *, with_event: bool) -> JobReport:
    """*stored* for the eye."""
    notes: list[str] = []
    if stored.body is None:
        notes.append("Config and context went with the body, which is deleted at a good end.")
        return JobReport(stored.view, stored.attempts, notes=tuple(notes))
    try:
        job = decode(stored.view.id, stored.body).job
    except WireError as error:
        notes.append(f"The body cannot be read: {error}.")
        return JobReport(
            stored.view, stored.attempts, later_ran=stored.later_ran, notes=tuple(notes)
        )
    event = job.event
    if with_event and event is None:
        event = _parsed(stored.event)
        if event is None:
            notes.append("The event is gone or cannot be read.")
    return JobReport(
        job=stored.view,
        attempts=stored.attempts,
        context=redacted(job.context.model_dump(exclude_none=True), redactor),
        external_identifier=job.external_identifier,
        config=_config(job.rule.config, redactor),
        event=redacted(event, redactor) if with_event else None,
        later_ran=stored.later_ran,
        notes=tuple(notes),
    )


def _config(config: str, redactor: Redactor) -> Any:
    try:
        return redacted(json.loads(config), redactor)
    except (ValueError, RecursionError):
        return redactor.text(config)


def _parsed(event: bytes | None) -> Any:
    try:
        return json.loads(event) if event else None
    except (ValueError, RecursionError):
        return None
