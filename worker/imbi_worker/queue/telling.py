"""One log line for each ending, and the fields every line of a job carries."""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from imbi_worker.dispatch import Attempt
from imbi_worker.queue.finishing import Ending
from imbi_worker.queue.kept_lines import LINES, Lines

_LOG = structlog.get_logger("imbi_worker.queue")
_ROOT = logging.getLogger()
EVENTS: Final = {
    "succeeded": "job.attempt.succeeded",
    "skipped": "job.attempt.skipped",
    "retry": "job.attempt.retry_scheduled",
    "deferred": "job.attempt.deferred",
    "dead": "job.dead",
    "cancelled": "job.cancelled",
    "released": "job.released",
    "abandoned": "job.attempt.abandoned",
}


STARTED: Final = "job.attempt.started"


# One variable for all fields: an attempt's task sets it, and every line that the action
# or anything it awaits writes is read together with it.
JOB_FIELDS: ContextVar[Mapping[str, Any]] = ContextVar("imbi_job_fields")


def bind(attempt: Attempt, ids: Mapping[str, str], *, worker: str) -> None:
    """Have every line of this task, a plugin's own lines included, name the job and be kept.

    *ids* are those of its trace.
    """
    LINES.set(Lines())
    job = attempt.job
    plugin, _, action = job.handler.partition("#")
    fields: dict[str, Any] = {
        "job_id": job.id,
        "delivery_id": job.delivery,
        "handler": job.handler,
        "plugin": plugin,
        "action": action,
        "org_slug": job.context.org_slug,
        "project_id": job.context.project_id,
        "project_slug": job.context.project_slug,
        "integration": job.plugin_id,
        "attempt": attempt.number,
        "worker_id": worker,
        **ids,
    }
    JOB_FIELDS.set({name: value for name, value in fields.items() if value})
    # Asked first: structlog makes a logger for each line, the ones it drops included.
    if _ROOT.isEnabledFor(logging.DEBUG):
        _LOG.debug(STARTED)


def tell(ending: Ending) -> None:
    """Say what an attempt came to. Texts of an ending are redacted already."""
    told: dict[str, Any] = {"outcome": ending.kind}
    if JOB_FIELDS.get(None) is None:
        # It was refused before its attempt, and has bound no fields.
        told["job_id"] = ending.id
    if ending.duration_ms:
        told["duration_ms"] = int(ending.duration_ms)
    if ending.kind != "succeeded":
        texts = {"reason": ending.reason, "error": ending.error, "hold": ending.hold}
        told |= {name: text for name, text in texts.items() if text}
    if ending.kind == "retry":
        told["retry_in_ms"] = ending.wait_ms
        told["next_retry_at"] = _in(ending.wait_ms)
    if ending.kind == "dead":
        hint = f"imbi-worker dead show {ending.id}"
        _LOG.warning(EVENTS[ending.kind], **told, hint=hint)
    else:
        _LOG.info(EVENTS[ending.kind], **told)


def _in(milliseconds: int) -> str:
    at = datetime.now(UTC) + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
