"""From an outcome to the entry that is written: pure, one case for each outcome."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from imbi_sdk.attempt.outcome import Dead, Deferred, Outcome, Retry, Skipped, Succeeded
from imbi_sdk.queue.wire import dump
from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.finishing import Ending


def settle(
    claimed: ClaimedJob,
    outcome: Outcome,
    *,
    duration: timedelta | None,
    worker: str,
    ended_at: datetime,
) -> Ending:
    """What to write for *outcome*, its attempt record included.

    A deferral counts no attempt and leaves no record; neither does a death before the
    action was called use up a number, but it is recorded.
    """
    milliseconds = "" if duration is None else str(int(duration / timedelta(milliseconds=1)))
    ending = Ending(
        claimed.id,
        claimed.token,
        "succeeded",
        duration_ms=milliseconds,
        counts=duration is not None,
    )

    def recorded(name: str, error: str = "", delay: timedelta | None = None) -> str:
        record = {
            "n": claimed.number,
            "outcome": name,
            "worker": worker,
            "ended": _milliseconds(ended_at),
            "duration_ms": int(milliseconds) if milliseconds else None,
            "error": error or None,
            "retry_in_ms": None if delay is None else int(delay / timedelta(milliseconds=1)),
        }
        return dump({key: value for key, value in record.items() if value is not None}).decode()

    match outcome:
        case Succeeded():
            return replace(
                ending, kind="succeeded", status="succeeded", record=recorded("succeeded")
            )
        case Skipped(reason):
            record = recorded("skipped", reason)
            return replace(ending, kind="skipped", status="skipped", reason=reason, record=record)
        case Retry(delay, error):
            return replace(
                ending,
                kind="retry",
                counts=True,
                error=error,
                wait_ms=int(delay / timedelta(milliseconds=1)),
                record=recorded("timed out" if outcome.is_timeout else "retry", error, delay),
            )
        case Deferred(until, reason, hold):
            return replace(
                ending,
                kind="deferred",
                counts=False,
                reason=reason,
                wait_ms=_milliseconds(until),
                hold=f"plugin:{hold.plugin_id}" if hold is not None else "",
            )
        case Dead(reason, error, reported_as):
            return replace(
                ending,
                kind="dead",
                reason=str(reason),
                error=error,
                status=reported_as,
                record=recorded("timed out" if outcome.is_timeout else "dead", error),
            )
        case _:
            assert_never(outcome)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
