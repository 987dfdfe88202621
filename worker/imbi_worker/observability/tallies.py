"""Counters and histograms for the hot path: 0.1 us each and no lock, for one writing thread.

prometheus-client's own take a lock, a histogram two of them, and walk their buckets: 0.3 and
0.6 us. Here the loop's thread alone writes; a scrape on another one may see a bucket without
its share of the sum, which the next scrape mends.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from imbi_worker.observability import metrics

_LAST: Final = "+Inf"


class Tally:
    """One child of a counter."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Tallies:
    """A declared counter with its children, by the values of its labels."""

    def __init__(self, metric: metrics.Metric) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], Tally] = {}

    def child(self, *labels: str) -> Tally:
        """The child of *labels*; keep it, this looks it up."""
        return self._children.setdefault(labels, Tally())

    def describe(self) -> Iterator[Metric]:
        """What a registry asks when the collector is registered."""
        yield CounterMetricFamily(self._metric.name, self._metric.text, labels=self._metric.labels)

    def collect(self) -> Iterator[Metric]:
        """What a scrape gets."""
        family = CounterMetricFamily(
            self._metric.name, self._metric.text, labels=self._metric.labels
        )
        for labels, child in list(self._children.items()):
            family.add_metric(labels, child.count)
        yield family


class Observations:
    """One child of a histogram: how many fell into each bucket, and their sum."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Histogram:
    """A declared histogram with its children, by the values of its labels."""

    def __init__(self, metric: metrics.Metric) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], Observations] = {}

    def child(self, *labels: str) -> Observations:
        """The child of *labels*; keep it, this looks it up."""
        found = self._children.get(labels)
        if found is None:
            found = self._children[labels] = Observations(self._metric.buckets)
        return found

    def describe(self) -> Iterator[Metric]:
        """What a registry asks when the collector is registered."""
        yield HistogramMetricFamily(
            self._metric.name, self._metric.text, labels=self._metric.labels
        )

    def collect(self) -> Iterator[Metric]:
        """What a scrape gets."""
        family = HistogramMetricFamily(
            self._metric.name, self._metric.text, labels=self._metric.labels
        )
        for labels, child in list(self._children.items()):
            buckets, seen = [], 0
            for bound, count in zip((*self._metric.buckets, inf), child.counts, strict=True):
                seen += count
                buckets.append((_LAST if bound == inf else repr(float(bound)), float(seen)))
            family.add_metric(labels, buckets, sum_value=child.total)
        yield family
