"""What one worker counts of itself.

A job costs a few dictionary look-ups here: the children of a handler are found once and kept.
"""

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

from imbi_sdk.registry import RegistryEntry
from imbi_worker.dispatch.ports import Fetch
from imbi_worker.observability import metrics
from imbi_worker.observability.histogram import Histogram, Observations
from imbi_worker.queue.vitals import Vitals


@dataclass(frozen=True, slots=True)
class Names:
    """A handler's plugin and action as labels."""

    plugin: str
    action: str


_UNKNOWN = Names(metrics.OTHER, metrics.OTHER)


class WorkerMetrics:
    """The worker-level rows of the table, in a registry of their own.

    *plugins* are those loaded, *handlers* what rules can name of them: the values that
    labels can take.
    """

    def __init__(
        self, *, queue: str, plugins: Iterable[RegistryEntry], handlers: Iterable[str]
    ) -> None:
        # A second series beside each counter, which nothing here reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the client leaves it untyped
        self.registry = CollectorRegistry()
        self._attempts = self._counter(metrics.ATTEMPTS)
        self._errors = self._counter(metrics.ATTEMPT_ERRORS)
        self._deferrals = self._counter(metrics.DEFERRED)
        self._redis_errors = self._counter(metrics.REDIS_ERRORS)
        self._durations = self._histogram(metrics.ACTION_DURATION)
        self._ends = self._histogram(metrics.END_TO_END)
        self._waits = self._histogram(metrics.QUEUE_WAIT).child(queue)
        fetches = self._histogram(metrics.CREDENTIALS_FETCH)
        self._fetches = {result: fetches.child(result) for result in metrics.FETCHES}
        self._names: dict[str, Names] = {}
        self._endings: dict[tuple[str, str], tuple[Counter, Observations]] = {}
        self._terminals: dict[tuple[str, str], Observations] = {}
        self._tell_versions(plugins)
        self._know(handlers)

    def watch(self, vitals: Callable[[], Vitals]) -> None:
        """Export what *vitals* says, asked at each scrape."""
        self._gauge(metrics.JOBS_RUNNING).set_function(lambda: vitals().running)
        self._gauge(metrics.SLOTS).set_function(lambda: vitals().slots)

        def last_poll() -> float:
            at = vitals().claimed_at
            return 0.0 if at is None else at.timestamp()

        self._gauge(metrics.LAST_POLL).set_function(last_poll)

    def begun(self, waited: timedelta) -> None:
        self._waits.observe(waited.total_seconds())

    def ended(self, handler: str, outcome: str, duration: timedelta | None) -> None:
        """An attempt came to *outcome*; *duration* is None when its action was not called."""
        found = self._endings.get((handler, outcome))
        if found is None:
            found = self._ending(handler, outcome)
        attempts, durations = found
        attempts.inc()
        if duration is not None:
            durations.observe(duration.total_seconds())

    def failed(self, handler: str, error_class: str) -> None:
        names = self._named(handler)
        self._errors.labels(names.plugin, names.action, error_class).inc()

    def deferred(self, handler: str, reason: str) -> None:
        self._deferrals.labels(self._named(handler).plugin, reason).inc()

    def finished(self, handler: str, outcome: str, took_seconds: float) -> None:
        """A job has ended, so long after its enqueue."""
        found = self._terminals.get((handler, outcome))
        if found is None:
            plugin = self._named(handler).plugin
            found = self._ends.child(plugin, outcome)
            if handler in self._names:
                self._terminals[handler, outcome] = found
        found.observe(max(0.0, took_seconds))

    def fetched(self, result: Fetch, took: timedelta) -> None:
        self._fetches[result].observe(took.total_seconds())

    def redis_failed(self) -> None:
        self._redis_errors.inc()

    def _named(self, handler: str) -> Names:
        return self._names.get(handler, _UNKNOWN)

    def _ending(self, handler: str, outcome: str) -> tuple[Counter, Observations]:
        names = self._named(handler)
        found = (
            self._attempts.labels(names.plugin, names.action, outcome),
            self._durations.child(names.plugin, names.action, outcome),
        )
        if handler in self._names:
            # Only what is installed is remembered: anybody may write other names.
            self._endings[handler, outcome] = found
        return found

    def _know(self, handlers: Iterable[str]) -> None:
        """Every counter from 0 on, so that a rate sees the first failure."""
        for handler in handlers:
            plugin, _, action = handler.partition("#")
            self._names[handler] = Names(plugin, action)
        for names in (*self._names.values(), _UNKNOWN):
            for outcome in metrics.OUTCOMES:
                self._attempts.labels(names.plugin, names.action, outcome)
            for error_class in metrics.ERROR_CLASSES:
                self._errors.labels(names.plugin, names.action, error_class)
            for reason in metrics.DEFERRALS:
                self._deferrals.labels(names.plugin, reason)

    def _tell_versions(self, entries: Iterable[RegistryEntry]) -> None:
        info = self._gauge(metrics.PLUGIN_INFO)
        for entry in entries:
            api = str(entry.manifest.api_version)
            info.labels(entry.manifest.slug, entry.package_version, api).set(1)
        build = self._gauge(metrics.BUILD_INFO)
        build.labels(version("imbi-worker"), platform.python_version()).set(1)

    def _counter(self, metric: metrics.Metric) -> Counter:
        return Counter(metric.name, metric.text, metric.labels, registry=self.registry)

    def _gauge(self, metric: metrics.Metric) -> Gauge:
        return Gauge(metric.name, metric.text, metric.labels, registry=self.registry)

    def _histogram(self, metric: metrics.Metric) -> Histogram:
        histogram = Histogram(metric)
        self.registry.register(histogram)
        return histogram
