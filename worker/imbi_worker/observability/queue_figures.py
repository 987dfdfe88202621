"""The figures of the whole queue: asked of Redis once for each scrape, by indexes and counters.

Nothing is scanned: three counts of the queue's index, its first member, the heartbeats, the
holds and one hash of counters, however many jobs wait.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from imbi_worker.observability import metrics
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.replies import number
from imbi_worker.queue.inspection.views import HoldView, QueueStats, WorkerView

Values: TypeAlias = dict[tuple[str, ...], float]

_REPAIRS = "repairs:"
_COUNTED = {"dropped": "duplicates", "revived": "revived"}


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What Redis said at one moment."""

    queue: str
    stats: QueueStats
    holds: tuple[HoldView, ...]
    workers: tuple[WorkerView, ...]
    oldest_due: timedelta

    @property
    def jobs(self) -> dict[str, int]:
        """By state. What runs is known by the heartbeats alone, so it may be some seconds old."""
        later = self.stats.scheduled
        running = min(later, sum(number(one.facts.get("running")) for one in self._alive))
        parked = sum(hold.parked for hold in self.holds)
        return {
            "due": self.stats.due,
            "running": running,
            "scheduled": later - running,
            "blocked": max(0, self.stats.behind - parked),
            "paused": parked,
            "dead": self.stats.dead,
        }

    @property
    def _alive(self) -> list[WorkerView]:
        return [worker for worker in self.workers if worker.is_alive]


async def read_figures(inspection: Inspection) -> QueueFigures:
    """The figures of one moment.

    :raises imbi_sdk.queue.QueueError: Redis does not answer, or refuses
    """
    stats = await inspection.stats()
    oldest = await inspection.oldest_due()
    return QueueFigures(
        queue=inspection.queue,
        stats=stats,
        holds=await inspection.holds(),
        workers=await inspection.workers(),
        oldest_due=timedelta() if oldest is None else max(timedelta(), stats.at - oldest),
    )


class QueueCollector:
    """The queue-level rows of the table. *figures* is set anew before each scrape.

    None says that Redis did not answer: then only ``imbi_queue_up`` is exported, and 0.
    """

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self.figures: QueueFigures | None = None

    def describe(self) -> Iterator[Metric]:
        """What a registry asks when the collector is registered."""
        for metric in metrics.ALL:
            if metric.source == "queue":
                yield _family(metric)

    def collect(self) -> Iterator[Metric]:
        """What a scrape gets."""
        figures = self.figures
        yield _filled(metrics.QUEUE_UP, {(self._queue,): 0 if figures is None else 1})
        if figures is not None:
            yield from _collected(figures)


def _collected(figures: QueueFigures) -> Iterator[Metric]:
    queue, counters = figures.queue, figures.stats.counters
    jobs: Values = {(queue, state): count for state, count in figures.jobs.items()}
    yield _filled(metrics.QUEUE_JOBS, jobs)
    yield _filled(metrics.DEAD_BYTES, {(queue,): figures.stats.dead_bytes})
    ended: Values = {(queue, end): count for end, count in _ended(counters).items()}
    yield _filled(metrics.ENDED, ended)
    yield _filled(metrics.OLDEST_DUE, {(queue,): figures.oldest_due.total_seconds()})
    yield _filled(metrics.WORKERS, {(queue,): figures.stats.live_workers})
    holds: Values = dict.fromkeys(((queue, kind) for kind in metrics.HOLD_KINDS), 0)
    for hold in figures.holds:
        if (queue, hold.kind) in holds:
            holds[queue, hold.kind] += 1
    yield _filled(metrics.HOLDS, holds)
    yield _filled(
        metrics.REPAIRED,
        {(queue, kind): counters.get(_REPAIRS + kind, 0) for kind in metrics.REPAIRS},
    )
    yield _filled(
        metrics.DEDUPLICATED,
        {(queue, result): counters.get(field, 0) for result, field in _COUNTED.items()},
    )


def _ended(counters: Mapping[str, int]) -> dict[str, int]:
    """Over all handlers: their names are whatever was enqueued, and become no label."""
    ended = dict.fromkeys(metrics.ENDS, 0)
    for field, count in counters.items():
        end, _, handler = field.partition(":")
        if handler and end in ended:
            ended[end] += count
    return ended


def _filled(metric: metrics.Metric, values: Values) -> Metric:
    family = _family(metric)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _family(metric: metrics.Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.text, labels=metric.labels)
