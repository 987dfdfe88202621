"""What the hot path counts with: exact, in the text that Prometheus reads."""

import re

from prometheus_client import CollectorRegistry, generate_latest

from imbi_worker.observability.metrics import Metric
from imbi_worker.observability.tallies import Histogram, Tallies

METRIC = Metric("x_seconds", "histogram", "worker", "A test's.", ("kind",), (0.1, 1, 10))


def lines(family: Histogram | Tallies) -> list[str]:
    registry = CollectorRegistry()
    registry.register(family)
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_value_falls_into_the_first_bucket_that_holds_it() -> None:
    """A bound belongs to its bucket, as Prometheus' `le` says."""
    histogram = Histogram(METRIC)
    for value in (0.1, 0.10001, 1, 5, 100):
        histogram.child("a").observe(value)
    assert lines(histogram) == [
        'x_seconds_bucket{kind="a",le="0.1"} 1.0',
        'x_seconds_bucket{kind="a",le="1.0"} 3.0',
        'x_seconds_bucket{kind="a",le="10.0"} 4.0',
        'x_seconds_bucket{kind="a",le="+Inf"} 5.0',
        'x_seconds_count{kind="a"} 5.0',
        'x_seconds_sum{kind="a"} 106.20001',
    ]


def test_a_child_is_made_once() -> None:
    """Who keeps it and who looks it up write into the same one."""
    histogram = Histogram(METRIC)
    assert histogram.child("a") is histogram.child("a")
    assert histogram.child("a") is not histogram.child("b")


def test_a_child_nothing_fell_into_is_all_zero() -> None:
    """So that a rate sees its first value."""
    histogram = Histogram(METRIC)
    histogram.child("a")
    assert {re.sub(r".* ", "", line) for line in lines(histogram)} == {"0.0"}


def test_a_counter_counts_by_its_labels() -> None:
    """Under the name that ends in `_total`, from 0 on."""
    tallies = Tallies(Metric("x_total", "counter", "worker", "A test's.", ("kind",)))
    tallies.child("a").count += 2
    assert tallies.child("b") is tallies.child("b")
    assert lines(tallies) == ['x_total{kind="a"} 2.0', 'x_total{kind="b"} 0.0']
