"""What Imbi's activity feed is told."""

from datetime import UTC, datetime, timedelta

import pytest

from imbi_sdk.attempt import (
    Dead,
    DeathReason,
    Deferred,
    Outcome,
    Retry,
    Skipped,
    Succeeded,
    handler_outcome,
)


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Succeeded(), {"status": "succeeded"}),
        (Skipped("draft"), {"status": "skipped", "error": "draft"}),
        (
            Dead(DeathReason.PERMANENT_ERROR, "ValueError: x"),
            {"status": "failed", "error": "ValueError: x"},
        ),
        (
            Dead(DeathReason.INVALID_CONFIG, "invalid handler_config: a: b", "skipped"),
            {"status": "skipped", "error": "invalid handler_config: a: b"},
        ),
        (
            Dead(DeathReason.HANDLER_NOT_RESOLVABLE, "handler not resolvable: why", "skipped"),
            {"status": "skipped", "error": "handler not resolvable"},
        ),
        (
            Dead(DeathReason.MISSING_CREDENTIALS, "missing credentials: which", "skipped"),
            {"status": "skipped", "error": "missing credentials"},
        ),
        (
            Dead(DeathReason.MISSING_CREDENTIALS, "PluginCredentialsMissing: x"),
            {"status": "failed", "error": "PluginCredentialsMissing: x"},
        ),
    ],
)
def test_the_feed_reads_what_it_always_read(outcome: Outcome, line: dict[str, str]) -> None:
    """The same words for the same situations as the gateway's own dispatch."""
    report = handler_outcome("p#act", outcome, timedelta(milliseconds=1_234.6))
    assert report is not None
    dumped = report.model_dump(exclude_none=True)
    assert dumped == {"handler": "p#act", "duration_ms": 1_235, **line}


def test_a_job_that_was_not_called_has_no_duration() -> None:
    """Instead of a duration of nothing."""
    report = handler_outcome("p#act", Dead(DeathReason.INVALID_CONFIG, "x", "skipped"))
    assert report is not None
    assert "duration_ms" not in report.model_dump(exclude_none=True)


@pytest.mark.parametrize(
    "outcome",
    [Retry(timedelta(0), "x"), Deferred(datetime(2026, 1, 1, tzinfo=UTC), "x")],
    ids=["retry", "deferred"],
)
def test_a_job_that_runs_again_is_not_reported(outcome: Outcome) -> None:
    """A rule has one line, when it has ended."""
    assert handler_outcome("p#act", outcome) is None
