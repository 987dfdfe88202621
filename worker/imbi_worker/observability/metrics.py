"""Every metric, declared once; ``docs/metrics.md`` is this table as a page.

No label holds an id. Labels that name a plugin or an action know those which are installed;
any other name counts as ``other``.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from imbi_sdk.queue import enqueue_counter

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Source: TypeAlias = Literal["worker", "queue", "gateway"]

OTHER: Final = "other"
OUTCOMES: Final = ("succeeded", "skipped", "retry", "timeout", "dead", "cancelled", "lost")
ENDS: Final = ("succeeded", "skipped", "dead", "cancelled")
ERROR_CLASSES: Final = (
    *("timeout", "transient", "unclassified", "permanent", "authentication", "credentials"),
    *("config", "event", "job", "signature", "plugin", "unresolved", "rate_limit"),
    *("exhausted", "outcome_unknown", "worker"),
)
DEFERRALS: Final = ("rate_limit", "retry_after", "graph", "drain")
FETCHES: Final = ("ok", "cached", "missing", "decrypt_error", "unavailable")
STATES: Final = ("due", "running", "scheduled", "blocked", "paused", "dead")
HOLD_KINDS: Final = ("operator", "rate_limit", "removed")
REPAIRS: Final = ("body", "lane", "ghost", "head", "waiter", "lease", "parked")
DEDUPLICATIONS: Final = ("dropped", "revived")

_ACTION_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_WAIT_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_END_TO_END_SECONDS: Final = (1, 5, 15, 60, 300, 900, 3600, 14400, 43200, 86400, 259200)
_FETCH_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table.

    *source* says who exports it: each worker for itself, each worker and the dashboard for the
    whole queue (so take the maximum), or the gateway.
    """

    name: str
    kind: Kind
    source: Source
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


ATTEMPTS: Final = Metric(
    "imbi_worker_attempts_total",
    "counter",
    "worker",
    "Attempts that ended, by what they came to.",
    ("plugin", "action", "outcome"),
)
ATTEMPT_ERRORS: Final = Metric(
    "imbi_worker_attempt_errors_total",
    "counter",
    "worker",
    "Attempts that failed, by what kind of error it was.",
    ("plugin", "action", "error_class"),
)
ACTION_DURATION: Final = Metric(
    "imbi_worker_action_duration_seconds",
    "histogram",
    "worker",
    "How long actions ran.",
    ("plugin", "action", "outcome"),
    _ACTION_SECONDS,
)
QUEUE_WAIT: Final = Metric(
    "imbi_worker_queue_wait_seconds",
    "histogram",
    "worker",
    "How long jobs could have run and did not; lanes, retries and holds are no part of it.",
    ("queue",),
    _WAIT_SECONDS,
)
END_TO_END: Final = Metric(
    "imbi_worker_end_to_end_seconds",
    "histogram",
    "worker",
    "From the enqueue of a job to its end.",
    ("plugin", "outcome"),
    _END_TO_END_SECONDS,
)
JOBS_RUNNING: Final = Metric(
    "imbi_worker_jobs_running", "gauge", "worker", "Jobs that this worker has in hand."
)
SLOTS: Final = Metric(
    "imbi_worker_slots", "gauge", "worker", "Jobs that this worker runs at once, at most."
)
DRAINING: Final = Metric(
    "imbi_worker_draining", "gauge", "worker", "1 while this worker takes no more jobs."
)
DEFERRED: Final = Metric(
    "imbi_worker_deferrals_total",
    "counter",
    "worker",
    "Attempts that were put off without being counted, by why.",
    ("plugin", "reason"),
)
CREDENTIALS_FETCH: Final = Metric(
    "imbi_worker_credentials_fetch_seconds",
    "histogram",
    "worker",
    "How long the credentials of an attempt took, by how they were come by.",
    ("result",),
    _FETCH_SECONDS,
)
PLUGIN_INFO: Final = Metric(
    "imbi_worker_plugin_info",
    "gauge",
    "worker",
    "1 for each plugin that is loaded.",
    ("slug", "version", "api_version"),
)
BUILD_INFO: Final = Metric(
    "imbi_worker_build_info",
    "gauge",
    "worker",
    "1; what runs here.",
    ("version", "revision", "python"),
)
LAST_POLL: Final = Metric(
    "imbi_worker_last_poll_timestamp_seconds",
    "gauge",
    "worker",
    "When Redis last answered a claim of this worker; 0 before the first.",
)
REDIS_ERRORS: Final = Metric(
    "imbi_worker_redis_errors_total", "counter", "worker", "Calls of Redis that failed."
)
DEDUPLICATED: Final = Metric(
    "imbi_worker_dedup_total",
    "counter",
    "queue",
    "Jobs that were enqueued before: dropped, or revived after they had died.",
    ("queue", "result"),
)
QUEUE_UP: Final = Metric(
    "imbi_queue_up",
    "gauge",
    "queue",
    "1 when Redis answered this scrape; at 0 the figures of the queue are left out.",
    ("queue",),
)
QUEUE_JOBS: Final = Metric(
    "imbi_queue_jobs",
    "gauge",
    "queue",
    "Jobs by state. Scheduled ones wait for their time (a retry, a deferral), blocked ones for"
    " their lane, paused ones under a hold; running is as of the heartbeats.",
    ("queue", "state"),
)
DEAD_BYTES: Final = Metric(
    "imbi_queue_dead_letter_bytes",
    "gauge",
    "queue",
    "What dead letters weigh, with the events that only they need.",
    ("queue",),
)
ENDED: Final = Metric(
    "imbi_queue_jobs_ended_total",
    "counter",
    "queue",
    "Jobs that ended, by what they came to; also those that no attempt has ended.",
    ("queue", "outcome"),
)
OLDEST_DUE: Final = Metric(
    "imbi_queue_oldest_due_age_seconds",
    "gauge",
    "queue",
    "How long the job that is due for longest has been so; 0 when none is.",
    ("queue",),
)
WORKERS: Final = Metric(
    "imbi_queue_workers", "gauge", "queue", "Workers with a recent heartbeat.", ("queue",)
)
HOLDS: Final = Metric("imbi_queue_holds", "gauge", "queue", "Holds that stand.", ("queue", "kind"))
REPAIRED: Final = Metric(
    "imbi_queue_repairs_total",
    "counter",
    "queue",
    "Repairs of what should never be; anything above 0 is a defect to report.",
    ("queue", "kind"),
)
ENQUEUED: Final = Metric(
    enqueue_counter.NAME, "counter", "gateway", enqueue_counter.TEXT, enqueue_counter.LABELS
)

ALL: Final = (
    *(ATTEMPTS, ATTEMPT_ERRORS, ACTION_DURATION, QUEUE_WAIT, END_TO_END, JOBS_RUNNING, SLOTS),
    *(DRAINING, DEFERRED, CREDENTIALS_FETCH, PLUGIN_INFO, BUILD_INFO, LAST_POLL, REDIS_ERRORS),
    *(DEDUPLICATED, QUEUE_UP, QUEUE_JOBS, DEAD_BYTES, ENDED, OLDEST_DUE, WORKERS, HOLDS, REPAIRED),
    ENQUEUED,
)
