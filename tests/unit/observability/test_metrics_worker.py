"""What a worker counts: bounded labels, every counter from the start."""

import re

from prometheus_client import generate_latest
from recorded import HANDLER, counting, samples

from imbi_worker.observability import metrics


def test_every_counter_begins_at_zero() -> None:
    """For each action and outcome, so that a rate sees the first failure."""
    text = generate_latest(counting().registry).decode()
    for action in ("open", "close"):
        for outcome in metrics.OUTCOMES:
            labels = f'action="{action}",outcome="{outcome}",plugin="tickets"'
            assert f"imbi_worker_attempts_total{{{labels}}} 0.0" in text
    assert text.count("imbi_worker_attempt_errors_total{") == 3 * len(metrics.ERROR_CLASSES)
    assert 'imbi_worker_deferrals_total{plugin="tickets",reason="rate_limit"} 0.0' in text
    for end in metrics.ENDS:
        labels = f'outcome="{end}",plugin="tickets"'
        assert f"imbi_worker_end_to_end_seconds_count{{{labels}}} 0.0" in text


def test_an_attempt_counts_by_plugin_action_and_outcome() -> None:
    """Its duration, too, when its action was called."""
    counts = counting()
    counts.of(HANDLER).ended("succeeded", 1.0)
    counts.of(HANDLER).ended("dead", None)
    assert samples(counts) == {
        ("imbi_worker_attempts_total", "open", "succeeded", "tickets"): 1,
        ("imbi_worker_attempts_total", "open", "dead", "tickets"): 1,
        ("imbi_worker_action_duration_seconds_count", "open", "succeeded", "tickets"): 1,
    }


def test_names_that_are_not_installed_count_as_other() -> None:
    """A thousand invented handlers add no series and are not remembered."""
    counts = counting()
    counts.others.ended("dead", 1.0)
    counts.others.finished("dead", 1.0)
    before = len(generate_latest(counts.registry))
    for number in range(1_000):
        made_up = counts.of(f"made-up-{number}#x")
        made_up.ended("dead", 1.0)
        made_up.failed("job")
        made_up.deferred("drain")
        made_up.finished("dead", 1.0)
    text = generate_latest(counts.registry).decode()
    assert "made-up" not in text
    assert len(text) - before < 100
    assert len(counts._handlers) == 2
    assert samples(counts)["imbi_worker_attempts_total", "other", "dead", "other"] == 1_001


def test_plugins_and_build_are_told_with_their_versions() -> None:
    """As gauges of 1, to join by."""
    text = generate_latest(counting().registry).decode()
    info = 'imbi_worker_plugin_info{api_version="1",slug="tickets",version="1.2.3"} 1.0'
    assert info in text
    assert re.search(r'imbi_worker_build_info{python="3[.0-9a-z]+",revision="4f1d",version="', text)


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    """The enqueue was noted by Redis' clock."""
    counts = counting()
    counts.of(HANDLER).finished("succeeded", -5.0)
    assert samples(counts)["imbi_worker_end_to_end_seconds_count", "succeeded", "tickets"] == 1
    assert 'imbi_worker_end_to_end_seconds_sum{outcome="succeeded",plugin="tickets"} 0.0' in (
        generate_latest(counts.registry).decode()
    )
