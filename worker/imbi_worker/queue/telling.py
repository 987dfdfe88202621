"""One log line for each ending, and the fields every line of a job carries."""

import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from structlog.typing import FilteringBoundLogger

from imbi_sdk.attempt import Verdict
from imbi_worker.dispatch import Attempt
from imbi_worker.dispatch.error_classes import error_class
from imbi_worker.queue.finishing import Ending
from imbi_worker.queue.kept_lines import LINES, Lines

_LOG = structlog.get_logger("imbi_worker.queue")
_ROOT = logging.getLogger()
EVENTS: Final = {
    "succeeded": "job.attempt.succeeded",
    "skipped": "job.attempt.skipped",
    "retry": "job.attempt.retry_scheduled",
    "deferred": "job.attempt.deferred",
    "dead": "job.attempt.dead",
    "cancelled": "job.attempt.cancelled",
    "released": "job.attempt.released",
    "abandoned": "job.attempt.abandoned",
}


STARTED: Final = "job.attempt.started"
_FAILED: Final = frozenset({"retry", "dead", "abandoned"})
_WEBHOOK: Final = re.compile(rb'"webhook_id":\s?"([^"\\]{1,200})"')
_EARLY: Final = 2_048


# What `bind` binds and `tell` adds; docs/logs.md explains them.
FIELDS: Final = (
    *("job_id", "delivery_id", "webhook_id", "handler", "plugin", "plugin_version", "action"),
    *("org_slug", "project_id", "project_slug", "integration", "attempt", "max_attempts"),
    *("queue_wait_ms", "worker_id", "trace_id", "span_id"),
)
END_FIELDS: Final = (
    *("outcome", "duration_ms", "reason", "error", "error_class", "hold"),
    *("retry_in_ms", "next_retry_at", "hint"),
)

# One variable for all fields: an attempt's task sets it, and every line that the action
# or anything it awaits writes is read together with it.
JOB_FIELDS: ContextVar[Mapping[str, Any]] = ContextVar("imbi_job_fields")


def bind(attempt: Attempt, more: Mapping[str, str | int]) -> None:
    """Have every line of this task, a plugin's own lines included, name the job and be kept.

    *more* is what the worker knows beside the job: ids of the trace, limits, itself.
    """
    LINES.set(Lines())
    job = attempt.job
    plugin, _, action = job.handler.partition("#")
    fields: dict[str, Any] = {
        "job_id": job.id,
        "delivery_id": job.delivery,
        "webhook_id": _webhook_of(attempt.event),
        "handler": job.handler,
        "plugin": plugin,
        "action": action,
        "org_slug": job.context.org_slug,
        "project_id": job.context.project_id,
        "project_slug": job.context.project_slug,
        "integration": job.plugin_id,
        "attempt": attempt.number,
        **more,
    }
    # What says nothing is no field; 0 is something.
    JOB_FIELDS.set({name: value for name, value in fields.items() if value or value == 0})
    # Asked first: structlog makes a logger for each line, the ones it drops included.
    if _ROOT.isEnabledFor(logging.DEBUG):
        _LOG.debug(STARTED)


def _webhook_of(event: bytes) -> str:
    """The webhook's id, from where an event context has it: before headers and payload.

    The event is parsed later and elsewhere; a name in somebody's text has its quotes escaped.
    """
    found = _WEBHOOK.search(event, 0, _EARLY)
    return found[1].decode("utf-8", "replace") if found else ""


def tell(log: FilteringBoundLogger, ending: Ending, verdict: Verdict | None = None) -> None:
    """Say in *log* what an attempt came to. Texts of an ending are redacted already."""
    told: dict[str, Any] = {"outcome": ending.kind}
    if JOB_FIELDS.get(None) is None:
        # It was refused before its attempt, and has bound no fields.
        told["job_id"] = ending.id
    if ending.duration_ms:
        told["duration_ms"] = int(ending.duration_ms)
    if ending.kind != "succeeded":
        texts = {"reason": ending.reason, "error": ending.error, "hold": ending.hold}
        told |= {name: text for name, text in texts.items() if text}
    if ending.kind in _FAILED:
        told["error_class"] = error_class(verdict)
    if ending.kind == "retry":
        told["retry_in_ms"] = ending.wait_ms
        told["next_retry_at"] = _in(ending.wait_ms)
    if ending.kind == "dead":
        hint = f"imbi-worker dead show {ending.id}"
        log.warning(EVENTS[ending.kind], **told, hint=hint)
    else:
        log.info(EVENTS[ending.kind], **told)


def _in(milliseconds: int) -> str:
    at = datetime.now(UTC) + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
