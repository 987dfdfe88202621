"""What one worker counts of itself.

A job costs a few dictionary look-ups here: the children of a handler are found once and kept.
"""

import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

from imbi_sdk.registry import RegistryEntry
from imbi_worker.dispatch.ports import Fetch
from imbi_worker.observability import metrics
from imbi_worker.observability.tallies import Histogram, Observations, Tallies, Tally
from imbi_worker.queue.vitals import Vitals


class _Families:
    """The families whose labels name a handler."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Tallies(metrics.ATTEMPTS)
        self.durations = Histogram(metrics.ACTION_DURATION)
        self.ends = Histogram(metrics.END_TO_END)
        for family in (self.attempts, self.durations, self.ends):
            registry.register(family)
        self.errors = _counter(metrics.ATTEMPT_ERRORS, registry)
        self.deferrals = _counter(metrics.DEFERRED, registry)


class HandlerCounts:
    """What is counted of one handler. Every counter begins at 0: a rate sees the first one."""

    def __init__(self, families: _Families, plugin: str, action: str) -> None:
        self._families = families
        self._plugin, self._action = plugin, action
        # Made when first seen: a hundred series for each action, and few of them ever used.
        self._durations: dict[str, Observations] = {}
        self._ends = {end: families.ends.child(plugin, end) for end in metrics.ENDS}
        self._attempts: dict[str, Tally] = {
            outcome: families.attempts.child(plugin, action, outcome)
            for outcome in metrics.OUTCOMES
        }
        for error_class in metrics.ERROR_CLASSES:
            families.errors.labels(plugin, action, error_class)
        for reason in metrics.DEFERRALS:
            families.deferrals.labels(plugin, reason)

    def ended(self, outcome: str, duration_seconds: float | None) -> None:
        """An attempt came to *outcome*; without a duration its action was not called."""
        self._attempts[outcome].count += 1
        if duration_seconds is None:
            return
        durations = self._durations.get(outcome)
        if durations is None:
            durations = self._families.durations.child(self._plugin, self._action, outcome)
            self._durations[outcome] = durations
        durations.observe(duration_seconds)

    def finished(self, end: str, took_seconds: float) -> None:
        """A job has ended, so long after its enqueue."""
        # Redis' clock has noted the enqueue, and may be ahead.
        self._ends[end].observe(max(took_seconds, 0.0))

    def failed(self, error_class: str) -> None:
        self._families.errors.labels(self._plugin, self._action, error_class).inc()

    def deferred(self, reason: str) -> None:
        self._families.deferrals.labels(self._plugin, reason).inc()


class WorkerMetrics:
    """The worker-level rows of the table, in a registry of their own.

    *plugins* are those loaded, *handlers* what rules can name of them: the values that
    labels can take. *revision* is the commit that runs, if anybody has said so.
    """

    def __init__(
        self,
        *,
        queue: str,
        plugins: Iterable[RegistryEntry],
        handlers: Iterable[str],
        revision: str = "",
    ) -> None:
        # A second series beside each counter, which nothing here reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the client leaves it untyped
        self.registry = CollectorRegistry()
        families = _Families(self.registry)
        self._redis_errors = _counter(metrics.REDIS_ERRORS, self.registry)
        waits, fetches = Histogram(metrics.QUEUE_WAIT), Histogram(metrics.CREDENTIALS_FETCH)
        self.registry.register(waits)
        self.registry.register(fetches)
        self._waits = waits.child(queue)
        self._fetches = {result: fetches.child(result) for result in metrics.FETCHES}
        self._handlers: dict[str, HandlerCounts] = {}
        for handler in handlers:
            plugin, _, action = handler.partition("#")
            self._handlers[handler] = HandlerCounts(families, plugin, action)
        self.others = HandlerCounts(families, metrics.OTHER, metrics.OTHER)
        self._tell_versions(plugins, revision)

    def watch(self, vitals: Callable[[], Vitals]) -> None:
        """Export what *vitals* says, asked at each scrape."""
        _gauge(metrics.JOBS_RUNNING, self.registry).set_function(lambda: vitals().running)
        _gauge(metrics.SLOTS, self.registry).set_function(lambda: vitals().slots)
        _gauge(metrics.DRAINING, self.registry).set_function(lambda: vitals().is_draining)

        def last_poll() -> float:
            at = vitals().claimed_at
            return 0.0 if at is None else at.timestamp()

        _gauge(metrics.LAST_POLL, self.registry).set_function(last_poll)

    def of(self, handler: str) -> HandlerCounts:
        """The counts of *handler*, or of all others: anybody may write a name."""
        return self._handlers.get(handler, self.others)

    def begun(self, waited_seconds: float) -> None:
        self._waits.observe(waited_seconds)

    def fetched(self, result: Fetch, took_seconds: float) -> None:
        self._fetches[result].observe(took_seconds)

    def redis_failed(self) -> None:
        """From any thread."""
        self._redis_errors.inc()

    def _tell_versions(self, plugins: Iterable[RegistryEntry], revision: str) -> None:
        info = _gauge(metrics.PLUGIN_INFO, self.registry)
        for entry in plugins:
            api = str(entry.manifest.api_version)
            info.labels(entry.manifest.slug, entry.package_version, api).set(1)
        build = _gauge(metrics.BUILD_INFO, self.registry)
        build.labels(version("imbi-worker"), revision, platform.python_version()).set(1)


def _counter(metric: metrics.Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.text, metric.labels, registry=registry)


def _gauge(metric: metrics.Metric, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.text, metric.labels, registry=registry)
