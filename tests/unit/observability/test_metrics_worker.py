"""What a worker counts: bounded labels, every counter from the start."""

from datetime import timedelta

from prometheus_client import generate_latest
from recorded import HANDLER, counting, samples

from imbi_worker.observability import metrics

SECOND = timedelta(seconds=1)


def test_every_counter_begins_at_zero() -> None:
    """For each action and outcome, so that a rate sees the first failure."""
    text = generate_latest(counting().registry).decode()
    for action in ("open", "close"):
        for outcome in metrics.OUTCOMES:
            labels = f'action="{action}",outcome="{outcome}",plugin="tickets"'
            assert f"imbi_worker_attempts_total{{{labels}}} 0.0" in text
    assert text.count("imbi_worker_attempt_errors_total{") == 3 * len(metrics.ERROR_CLASSES)
    assert 'imbi_worker_deferrals_total{plugin="tickets",reason="rate_limit"} 0.0' in text


def test_an_attempt_counts_by_plugin_action_and_outcome() -> None:
    """Its duration, too, when its action was called."""
    counts = counting()
    counts.ended(HANDLER, "succeeded", SECOND)
    counts.ended(HANDLER, "dead", None)
    assert samples(counts) == {
        ("imbi_worker_attempts_total", "open", "succeeded", "tickets"): 1,
        ("imbi_worker_attempts_total", "open", "dead", "tickets"): 1,
        ("imbi_worker_action_duration_seconds_count", "open", "succeeded", "tickets"): 1,
    }


def test_names_that_are_not_installed_count_as_other() -> None:
    """A thousand invented handlers add no series and are not remembered."""
    counts = counting()
    counts.ended("a#b", "dead", SECOND)
    counts.finished("a#b", "dead", 1.0)
    before = len(generate_latest(counts.registry))
    for number in range(1_000):
        counts.ended(f"made-up-{number}#x", "dead", SECOND)
        counts.failed(f"made-up-{number}#x", "job")
        counts.deferred(f"made-up-{number}#x", "drain")
        counts.finished(f"made-up-{number}#x", "dead", 1.0)
    text = generate_latest(counts.registry).decode()
    assert "made-up" not in text
    assert len(text) - before < 100
    assert not any("made-up" in str(key) for key in (*counts._endings, *counts._terminals))
    assert samples(counts)["imbi_worker_attempts_total", "other", "dead", "other"] == 1_001


def test_plugins_and_build_are_told_with_their_versions() -> None:
    """As gauges of 1, to join by."""
    text = generate_latest(counting().registry).decode()
    info = 'imbi_worker_plugin_info{api_version="1",slug="tickets",version="1.2.3"} 1.0'
    assert info in text
    assert "imbi_worker_build_info{" in text


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    """The enqueue was noted by Redis' clock."""
    counts = counting()
    counts.finished(HANDLER, "succeeded", -5.0)
    assert samples(counts)["imbi_worker_end_to_end_seconds_count", "succeeded", "tickets"] == 1
    assert 'imbi_worker_end_to_end_seconds_sum{outcome="succeeded",plugin="tickets"} 0.0' in (
        generate_latest(counts.registry).decode()
    )
