"""One log line for each ending; the job's fields come from its task's context."""

from typing import Any, Final

import structlog

from imbi_worker.dispatch import Attempt
from imbi_worker.queue.finishing import Ending

_LOG = structlog.get_logger("imbi_worker.queue")
_EVENTS: Final = {
    "succeeded": "job.attempt.succeeded",
    "skipped": "job.attempt.skipped",
    "retry": "job.attempt.retry_scheduled",
    "deferred": "job.attempt.deferred",
    "dead": "job.dead",
    "cancelled": "job.cancelled",
    "released": "job.released",
    "abandoned": "job.attempt.abandoned",
}


def log_fields(attempt: Attempt) -> dict[str, Any]:
    """What every line of an attempt carries, a plugin's own lines included."""
    job = attempt.job
    plugin, _, action = job.handler.partition("#")
    fields = {
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
    }
    return {name: value for name, value in fields.items() if value}


def tell(ending: Ending) -> None:
    """Say what an attempt came to. Texts of an ending are redacted already."""
    fields = {
        "job_id": ending.id,
        "reason": ending.reason,
        "error": ending.error,
        "hold": ending.hold,
        "duration_ms": int(ending.duration_ms) if ending.duration_ms else None,
        "retry_in_ms": ending.wait_ms if ending.kind == "retry" else None,
    }
    told = {name: value for name, value in fields.items() if value not in {"", None}}
    if ending.kind == "dead":
        hint = f"imbi-worker dead show {ending.id}"
        _LOG.warning(_EVENTS[ending.kind], **told, hint=hint)
    else:
        _LOG.info(_EVENTS[ending.kind], **told)
