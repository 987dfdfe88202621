"""From an error and where the job stands to the outcome."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbi_sdk import errors
from imbi_sdk.attempt import (
    Dead,
    DeathReason,
    Deferred,
    Hold,
    Outcome,
    Retry,
    RetryPolicy,
    Skipped,
    Standing,
    classify,
    defer,
)
from imbi_sdk.attempt.classification import time_out

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RetryPolicy()


def judged(error: BaseException, *, jitter: float = 1.0, **standing: Any) -> Outcome:
    return classify(error, Standing(**standing), now=NOW, jitter=jitter, redact=str)


def test_a_skip_is_a_success_with_a_reason() -> None:
    """Only the action itself can skip."""
    assert judged(errors.Skip("draft release")) == Skipped("draft release")


def test_a_transient_error_is_retried_after_its_window() -> None:
    """The window is that of the failures so far."""
    assert judged(OSError("x")) == Retry(timedelta(seconds=10), "OSError: x")
    assert judged(OSError("x"), attempts_used=2) == Retry(timedelta(minutes=2), "OSError: x")


def test_a_wish_of_the_author_is_a_floor() -> None:
    """Whatever the jitter."""
    outcome = judged(errors.RetryableError("x", retry_after=45), jitter=0.0)
    assert outcome == Retry(timedelta(seconds=45), "RetryableError: x")


def test_the_last_attempt_is_not_retried() -> None:
    """`max_attempts` counts all of them, this one included."""
    assert isinstance(judged(OSError("x"), attempts_used=6), Retry)
    assert judged(OSError("x"), attempts_used=7) == Dead(
        DeathReason.ATTEMPTS_EXHAUSTED, "OSError: x"
    )


def test_a_job_that_is_too_old_is_not_retried() -> None:
    """Measured from the first failure to the start of the next attempt."""
    day = timedelta(hours=24)
    in_time = judged(OSError("x"), first_failed_at=NOW - day + timedelta(seconds=10))
    assert isinstance(in_time, Retry)
    late = judged(OSError("x"), first_failed_at=NOW - day + timedelta(seconds=9))
    assert late == Dead(DeathReason.TOO_OLD, "OSError: x")


def test_time_under_a_hold_makes_no_job_older() -> None:
    """A weekend's pause buries nothing."""
    outcome = judged(
        OSError("x"),
        first_failed_at=NOW - timedelta(days=3),
        held=timedelta(days=2, hours=12),
    )
    assert isinstance(outcome, Retry)


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), errors.PermanentError("x"), errors.PluginAuthenticationFailed("x")],
    ids=lambda error: type(error).__name__,
)
def test_a_permanent_error_buries_the_job(error: Exception) -> None:
    """At its first attempt, as failed."""
    assert judged(error) == Dead(DeathReason.PERMANENT_ERROR, f"{type(error).__name__}: x")


def test_missing_credentials_found_by_the_action_are_a_failure() -> None:
    """The feed reads what it always read when a callable raised."""
    outcome = judged(errors.PluginCredentialsMissing("x"))
    assert outcome == Dead(DeathReason.MISSING_CREDENTIALS, "PluginCredentialsMissing: x")


def test_an_operator_may_bury_unknown_errors() -> None:
    """By default they are retried."""
    assert isinstance(judged(KeyError("x")), Retry)
    strict = RetryPolicy(retries_unknown=False)
    assert judged(KeyError("x"), policy=strict) == Dead(
        DeathReason.PERMANENT_ERROR, "KeyError: 'x'"
    )
    assert isinstance(judged(OSError("x"), policy=strict), Retry)


def test_a_rate_limit_holds_the_integration() -> None:
    """It uses no attempt, not even the last one."""
    limited = errors.PluginRateLimited(NOW.timestamp() + 600, "slow down")
    text = "PluginRateLimited: slow down"
    assert judged(limited, plugin_id="p1", attempts_used=7) == Deferred(
        NOW + timedelta(minutes=10), text, Hold("p1", text)
    )


def test_a_rate_limit_without_an_integration_holds_nothing() -> None:
    """Only the job itself waits."""
    outcome = judged(errors.PluginRateLimited(NOW.timestamp() + 600))
    assert isinstance(outcome, Deferred)
    assert outcome.hold is None


@given(retry_at=st.floats())
def test_a_rest_is_neither_a_circle_nor_forever(retry_at: float) -> None:
    """Whatever number a remote service gave."""
    error = errors.PluginRateLimited(0.0)
    error.retry_at = retry_at
    outcome = judged(error)
    assert isinstance(outcome, Deferred)
    assert POLICY.shortest_deferral <= outcome.until - NOW <= POLICY.longest


def test_a_job_that_only_waits_ends_after_a_week() -> None:
    """It has done nothing, and somebody should look at it."""
    until = NOW + timedelta(hours=1)
    week = timedelta(days=7)
    in_time = Standing(deferred_since=until - week)
    assert defer(until, "x", in_time, now=NOW) == Deferred(until, "x")
    late = Standing(deferred_since=until - week - timedelta(seconds=1))
    assert defer(until, "x", late, now=NOW) == Dead(DeathReason.DEFERRED_TOO_LONG, "x")


def test_a_timeout_is_retried_and_says_so() -> None:
    """Up to the last attempt, like any failure."""
    text = "TimeoutError: the action did not end within 300 s"
    span = timedelta(seconds=300)
    outcome = time_out(span, Standing(), now=NOW, jitter=1.0)
    assert outcome == Retry(timedelta(seconds=10), text, is_timeout=True)
    last = time_out(span, Standing(attempts_used=7), now=NOW, jitter=1.0)
    assert last == Dead(DeathReason.ATTEMPTS_EXHAUSTED, text, is_timeout=True)


def test_a_timeout_of_what_must_not_run_twice_is_final() -> None:
    """Nobody knows what it has done."""
    outcome = time_out(timedelta(seconds=1), Standing(is_idempotent=False), now=NOW, jitter=1.0)
    assert isinstance(outcome, Dead)
    assert outcome.reason is DeathReason.OUTCOME_UNKNOWN
    assert outcome.is_timeout


def test_every_text_passes_the_redactor() -> None:
    """Of every kind of outcome that has one."""
    for error in (
        errors.Skip("secret"),
        errors.PluginRateLimited(0.0, "secret"),
        OSError("secret"),
        KeyError("secret"),
        ValueError("secret"),
        errors.PluginCredentialsMissing("secret"),
    ):
        outcome = classify(
            error, Standing(plugin_id="p"), now=NOW, jitter=1.0, redact=lambda _: "masked"
        )
        assert "secret" not in repr(outcome)
        assert "masked" in repr(outcome)
