"""What the code exports, as Prometheus would name it: from real registries, no list by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from imbi_sdk.manifest import PluginManifest
from imbi_sdk.queue.enqueue_counter import EnqueueCounter
from imbi_sdk.registry import RegistryEntry
from imbi_sdk.webhook import WebhookActionPlugin
from imbi_worker.observability import WorkerMetrics, metrics
from imbi_worker.observability.queue_figures import QueueCollector, QueueFigures
from imbi_worker.queue.inspection.views import QueueStats
from imbi_worker.queue.vitals import Vitals

QUEUE = "imbi:queue"
HANDLER = "github#sync"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Their values are whatever is installed, configured or running somewhere.
OPEN = frozenset(
    {"plugin", "action", "queue", "slug", "version", "revision", "api_version", "python", "le"}
)


def series() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """Each series' name, with its labels and the values they take here."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in (*_of_worker(), *_of_queue(), *_of_gateway()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return {
        name: {label: frozenset(values) for label, values in labels.items()}
        for name, labels in found.items()
    }


def _of_worker() -> list[Metric]:
    manifest = PluginManifest(slug="github", name="GitHub", plugin_type="webhook")
    counts = WorkerMetrics(
        queue=QUEUE,
        plugins=[RegistryEntry(WebhookActionPlugin, manifest, "github", "1.2.3")],
        handlers=[HANDLER],
    )
    vitals = Vitals(
        0, 0, NOW, hears_redis=True, is_draining=False, graph_answers=True, running=0, slots=1
    )
    counts.watch(lambda: vitals)
    for outcome in metrics.OUTCOMES:
        counts.of(HANDLER).ended(outcome, 1.0)
    return list(counts.registry.collect())


def _of_queue() -> list[Metric]:
    collector = QueueCollector(QUEUE)
    stats = QueueStats(NOW, 0, 0, 0, 0, 0, 0, 0, {})
    collector.figures = QueueFigures(QUEUE, stats, (), (), timedelta())
    return list(collector.collect())


def _of_gateway() -> list[Metric]:
    registry = CollectorRegistry()
    EnqueueCounter(registry).count(HANDLER, "accepted")
    return list(registry.collect())
