"""A job for the eye, from all that Redis holds of it: its body decoded, its secrets masked."""

import json
from typing import Any

from imbi_sdk.attempt import Redactor
from imbi_sdk.queue import WireError
from imbi_sdk.queue.wire import decode
from imbi_worker.operations.jobs import JobReport
from imbi_worker.operations.redaction import redacted
from imbi_worker.queue.inspection.views import StoredJob


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
