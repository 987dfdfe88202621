"""From an outcome to the entry that is written: pure, one case for each outcome."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, assert_never

from imbi_sdk.attempt.outcome import Dead, Deferred, Outcome, Retry, Skipped, Succeeded
from imbi_sdk.queue.json_text import dump
from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.finishing import Ending
from imbi_worker.queue.kept_lines import NO_LINES, Lines


def settle(
    claimed: ClaimedJob,
    outcome: Outcome,
    *,
    duration: timedelta | None,
    worker: str,
    ended_at: datetime,
    lines: Lines = NO_LINES,
) -> Ending:
    """What to write for *outcome*, its attempt record and the *lines* of its log included.

    A deferral counts no attempt and leaves no record; neither does a death before the
    action was called use up a number, but it is recorded.
    """
    milliseconds = "" if duration is None else str(_count(duration))
    was_called = duration is not None
    ending = partial(Ending, claimed.id, claimed.token, duration_ms=milliseconds)
    recorded = partial(
        _record, claimed, milliseconds=milliseconds, worker=worker, ended_at=ended_at, lines=lines
    )
    match outcome:
        case Succeeded():
            # Without a record: the job's hash says all of it, and most jobs end so.
            record = recorded("succeeded") if lines.of_success() else ""
            return ending("succeeded", status="succeeded", record=record)
        case Skipped(reason):
            record = recorded("skipped", reason)
            return ending("skipped", status="skipped", reason=reason, record=record)
        case Retry(delay, error):
            record = recorded("timed out" if outcome.is_timeout else "retry", error, delay)
            return ending("retry", error=error, wait_ms=_count(delay), record=record)
        case Deferred(until, reason, hold):
            return ending(
                "deferred",
                counts=False,
                reason=reason,
                wait_ms=_moment(until),
                hold=f"plugin:{hold.plugin_id}" if hold is not None else "",
            )
        case Dead(reason, error, reported_as):
            return ending(
                "dead",
                counts=was_called,
                reason=str(reason),
                error=error,
                status=reported_as,
                record=recorded("timed out" if outcome.is_timeout else "dead", error),
            )
        case _:
            assert_never(outcome)


def _record(
    claimed: ClaimedJob,
    name: str,
    error: str = "",
    delay: timedelta | None = None,
    *,
    milliseconds: str,
    worker: str,
    ended_at: datetime,
    lines: Lines,
) -> str:
    """The attempt as JSON; what is not known stands nowhere in it."""
    record: dict[str, Any] = {
        "n": claimed.number,
        "outcome": name,
        "worker": worker,
        "ended": _moment(ended_at),
    }
    if milliseconds:
        record["duration_ms"] = int(milliseconds)
    if error:
        record["error"] = error
    if delay is not None:
        record["retry_in_ms"] = _count(delay)
    record |= lines.of_success() if name == "succeeded" else lines.of_failure()
    return dump(record).decode()


def _count(duration: timedelta) -> int:
    """Milliseconds."""
    return int(duration.total_seconds() * 1000)


def _moment(at: datetime) -> int:
    """Milliseconds since 1970."""
    return int(at.timestamp() * 1000)
