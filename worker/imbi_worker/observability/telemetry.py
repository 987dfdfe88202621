"""What an engine tells, as metrics and spans: the witness of a worker."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import structlog
from opentelemetry.trace import Span

from imbi_sdk.attempt import Dead, Deferred, Retry, Verdict
from imbi_worker.dispatch import Attempt
from imbi_worker.dispatch.error_classes import class_of_death, error_class
from imbi_worker.dispatch.supplies import GRAPH_AWAY
from imbi_worker.observability.attempt_traces import AttemptTraces, close, ids_of
from imbi_worker.observability.worker_metrics import HandlerCounts, WorkerMetrics
from imbi_worker.queue.finishing import Ending
from imbi_worker.queue.witness import NO_IDS, Account

_LOG = structlog.get_logger("imbi_worker.observability")
_FAILED: Final = frozenset({"retry", "dead", "abandoned"})
_DEFERRED: Final = frozenset({"deferred", "released"})


class Telemetry:
    """Counts attempts; with *traces* each one is a span, too."""

    def __init__(self, counts: WorkerMetrics, traces: AttemptTraces | None = None) -> None:
        self.counts = counts
        self._traces = traces

    def begins(self, attempt: Attempt, waited_ms: int, most_attempts: int) -> Account:
        self.counts.begun(waited_ms / 1000)
        span = None if self._traces is None else self._span(self._traces, attempt, most_attempts)
        return _Account(self.counts.of(attempt.job.handler), attempt.enqueued_at, span)

    def refused(self, ending: Ending) -> None:
        # What the job says of itself is not to be believed, its handler neither.
        self.counts.others.ended("dead", None)
        self.counts.others.failed(class_of_death(ending.reason))

    def redis_failed(self) -> None:
        self.counts.redis_failed()

    def _span(self, traces: AttemptTraces, attempt: Attempt, most_attempts: int) -> Span | None:
        try:
            return traces.open(attempt, most_attempts)
        except Exception as error:  # noqa: BLE001 - a sampler of the operator's must end no job
            _LOG.warning("trace.failed", error=type(error).__name__)
            return None


class _Account:
    """One attempt, from its begin to its first ending."""

    __slots__ = ("_counts", "_enqueued_at", "_has_ended", "_span")

    def __init__(self, counts: HandlerCounts, enqueued_at: datetime, span: Span | None) -> None:
        self._counts = counts
        self._enqueued_at = enqueued_at
        self._span = span
        self._has_ended = False

    @property
    def ids(self) -> Mapping[str, str]:
        return NO_IDS if self._span is None else ids_of(self._span)

    def ended(self, ending: Ending, verdict: Verdict | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if ending.kind in _DEFERRED:
            self._counts.deferred(_deferral(verdict))
            self._close("deferred")
        elif ending.kind in _FAILED:
            self._fail(ending, verdict)
        else:
            self._counts.ended(ending.kind, _seconds(verdict))
            self._finish(ending.kind)
            self._close(ending.kind)

    def lost(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._counts.ended("lost", None)
            self._close("lost")

    def _fail(self, ending: Ending, verdict: Verdict | None) -> None:
        outcome = None if verdict is None else verdict.outcome
        is_timeout = isinstance(outcome, Retry | Dead) and outcome.is_timeout
        name, failure = "timeout" if is_timeout else ending.kind, error_class(verdict)
        self._counts.ended(name, _seconds(verdict))
        self._counts.failed(failure)
        # An abandoned action may still run when its job is as good as dead.
        if ending.kind == "dead" or isinstance(outcome, Dead):
            self._finish("dead")
        self._close(name, error_class=failure, error=ending.error)

    def _finish(self, kind: str) -> None:
        self._counts.finished(kind, time.time() - self._enqueued_at.timestamp())

    def _close(self, outcome: str, *, error_class: str = "", error: str = "") -> None:
        if self._span is not None:
            close(self._span, outcome, error_class=error_class, error=error)


def _seconds(verdict: Verdict | None) -> float | None:
    """How long the action ran, if it was called."""
    if verdict is None or verdict.duration is None:
        return None
    return verdict.duration.total_seconds()


def _deferral(verdict: Verdict | None) -> str:
    """Why an attempt was put off; only a drain does so without a verdict."""
    outcome = None if verdict is None else verdict.outcome
    if not isinstance(outcome, Deferred):
        return "drain"
    if outcome.hold is not None:
        return "rate_limit"
    return "graph" if outcome.reason == GRAPH_AWAY else "retry_after"
