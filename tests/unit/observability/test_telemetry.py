"""From what became of an attempt to what is counted of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from recorded import HANDLER, attempt, counting, samples

from imbi_sdk.attempt import Dead, DeathReason, Deferred, Hold, Retry, Skipped, Succeeded, Verdict
from imbi_sdk.attempt.failure import Kind
from imbi_worker.dispatch.error_classes import class_of_death, error_class
from imbi_worker.observability import metrics
from imbi_worker.observability.telemetry import Telemetry
from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.finishing import Ending
from imbi_worker.queue.settlement import settle

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CLAIMED = ClaimedJob(id="j1", token="t", body=b"", event=b"", enqueued_at=NOW, run=1)


def after(verdict: Verdict | None, ending: Ending | None = None) -> dict[tuple[str, ...], float]:
    """What one attempt leaves behind."""
    counts = counting()
    account = Telemetry(counts).begins(attempt(), 5, 8)
    if ending is None:
        assert verdict is not None
        ending = settle(
            CLAIMED, verdict.outcome, duration=verdict.duration, worker="w", ended_at=NOW
        )
    account.ended(ending, verdict)
    account.ended(ending, verdict)
    account.lost()
    found = samples(counts)
    assert found.pop(("imbi_worker_queue_wait_seconds_count", "imbi:queue")) == 1
    return found


def attempts(outcome: str) -> tuple[str, ...]:
    return ("imbi_worker_attempts_total", "open", outcome, "tickets")


def errors(name: str) -> tuple[str, ...]:
    return ("imbi_worker_attempt_errors_total", "open", name, "tickets")


def durations(outcome: str) -> tuple[str, ...]:
    return ("imbi_worker_action_duration_seconds_count", "open", outcome, "tickets")


def ends(outcome: str) -> tuple[str, ...]:
    return ("imbi_worker_end_to_end_seconds_count", outcome, "tickets")


def test_a_success_counts_once() -> None:
    """Attempt, duration and end; a second ending of the same attempt changes nothing."""
    expected = {attempts("succeeded"): 1, durations("succeeded"): 1, ends("succeeded"): 1}
    assert after(Verdict(Succeeded(), SECOND)) == expected


def test_a_skip_is_an_end_and_no_error() -> None:
    """The action itself said that there was nothing to do."""
    expected = {attempts("skipped"): 1, durations("skipped"): 1, ends("skipped"): 1}
    assert after(Verdict(Skipped("no tag"), SECOND)) == expected


def test_a_retry_is_an_error_and_no_end() -> None:
    """By what its error means, never by the name of its class."""
    verdict = Verdict(Retry(SECOND, "UpstreamError: 503"), SECOND, kind=Kind.TRANSIENT)
    expected = {attempts("retry"): 1, durations("retry"): 1, errors("transient"): 1}
    assert after(verdict) == expected


def test_a_death_is_an_error_and_an_end() -> None:
    """A config that is not valid was never called, so there is no duration."""
    verdict = Verdict(Dead(DeathReason.INVALID_CONFIG, "invalid"))
    assert after(verdict) == {attempts("dead"): 1, errors("config"): 1, ends("dead"): 1}


def test_a_timeout_is_told_from_other_failures() -> None:
    """Whether the job runs again or not."""
    again = Verdict(Retry(SECOND, "TimeoutError", is_timeout=True), SECOND)
    assert after(again) == {
        attempts("timeout"): 1,
        durations("timeout"): 1,
        errors("timeout"): 1,
    }
    dead = Verdict(Dead(DeathReason.ATTEMPTS_EXHAUSTED, "TimeoutError", is_timeout=True), SECOND)
    assert ends("dead") in after(dead)


def test_an_action_that_outlives_its_timeout_counts_when_it_is_given_up() -> None:
    """Not a second time when it really ends."""
    verdict = Verdict(Dead(DeathReason.OUTCOME_UNKNOWN, "TimeoutError", is_timeout=True), SECOND)
    given_up = Ending("j1", "t", "abandoned", error="TimeoutError")
    assert after(verdict, given_up) == {
        attempts("timeout"): 1,
        durations("timeout"): 1,
        errors("timeout"): 1,
        ends("dead"): 1,
    }


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Deferred(NOW, "429", Hold("i1", "429")), "rate_limit"),
        (Deferred(NOW, "429"), "retry_after"),
        (Deferred(NOW, "graph unreachable"), "graph"),
    ],
)
def test_a_deferral_is_no_attempt(outcome: Deferred, reason: str) -> None:
    """It counts by why."""
    assert after(Verdict(outcome, SECOND)) == {
        ("imbi_worker_deferrals_total", "tickets", reason): 1
    }


def test_a_drain_puts_off_what_runs() -> None:
    """The worker's own doing: no verdict, no failure."""
    released = Ending("j1", "t", "released", counts=False)
    assert after(None, released) == {("imbi_worker_deferrals_total", "tickets", "drain"): 1}


def test_a_cancel_is_an_end_of_its_own() -> None:
    """An operator's wish is no error."""
    cancelled = Ending("j1", "t", "cancelled", counts=False)
    assert after(None, cancelled) == {attempts("cancelled"): 1, ends("cancelled"): 1}


def test_a_defect_of_the_worker_is_called_so() -> None:
    """Nobody shall look for it in the plugin."""
    ending = Ending("j1", "t", "retry", error="imbi-worker: KeyError in the worker itself")
    assert after(None, ending) == {attempts("retry"): 1, errors("worker"): 1}


def test_a_lost_lease_is_counted_as_lost() -> None:
    """Whatever the action came to afterwards."""
    counts = counting()
    account = Telemetry(counts).begins(attempt(), 5, 8)
    account.lost()
    account.ended(Ending("j1", "t", "succeeded"), Verdict(Succeeded(), SECOND))
    assert samples(counts)[attempts("lost")] == 1
    assert attempts("succeeded") not in samples(counts)


def test_a_forged_job_counts_for_nobody() -> None:
    """Its handler is part of what is not believed."""
    counts = counting()
    Telemetry(counts).refused(Ending("j1", "t", "dead", reason=str(DeathReason.BAD_SIGNATURE)))
    assert samples(counts) == {
        ("imbi_worker_attempts_total", "other", "dead", "other"): 1,
        ("imbi_worker_attempt_errors_total", "other", "signature", "other"): 1,
    }


def test_every_error_has_one_of_the_declared_classes() -> None:
    """Whatever the kind of error and whatever the reason of death."""
    verdicts = [Verdict(Retry(SECOND, "x"), kind=kind) for kind in (None, *Kind)]
    verdicts += [Verdict(Dead(reason, "x")) for reason in DeathReason]
    assert {error_class(verdict) for verdict in (*verdicts, None)} <= set(metrics.ERROR_CLASSES)
    assert class_of_death("no reason at all") == "worker"


def test_a_tracer_that_fails_ends_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler of the operator's may raise what it likes."""

    class Broken:
        def open(self, _: Any) -> Any:
            raise RuntimeError

    counts = counting()
    account = Telemetry(counts, Broken()).begins(attempt()._replace(number=2), 5, 8)  # type: ignore[arg-type]  # broken on purpose
    assert account.ids == {}
    account.ended(Ending("j1", "t", "succeeded"), Verdict(Succeeded(), SECOND))
    assert samples(counts)[attempts("succeeded")] == 1
    assert attempt().job.handler == HANDLER
