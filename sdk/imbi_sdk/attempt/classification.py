"""From an error and where its job stands to the outcome of the attempt."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from imbi_sdk.attempt.failure import Failure, Kind, sort
from imbi_sdk.attempt.outcome import Dead, DeathReason, Deferred, Hold, Outcome, Retry, Skipped
from imbi_sdk.attempt.policy import RetryPolicy

Redact: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a job when one of its attempts ends.

    *attempts_used* does not count this attempt. *held* is the time spent under
    holds since the first failure, *deferred_since* when the present row of
    deferrals began.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    plugin_id: str | None = None
    attempts_used: int = 0
    first_failed_at: datetime | None = None
    held: timedelta = timedelta(0)
    deferred_since: datetime | None = None
    is_idempotent: bool = True


def classify(
    error: BaseException, standing: Standing, *, now: datetime, jitter: float, redact: Redact
) -> Outcome:
    """Decide what follows from *error*. Every text in the result has passed *redact*."""
    failure = sort(error, now)
    text = redact(failure.text)
    kind = _known(failure.kind, standing.policy)
    match kind:
        case Kind.SKIP:
            return Skipped(text)
        case Kind.RATE_LIMITED:
            return _rest(failure, text, standing, now)
        case Kind.TRANSIENT | Kind.UNKNOWN:
            return retry(text, standing, now=now, jitter=jitter, floor=failure.retry_after)
        case Kind.AUTHENTICATION | Kind.PERMANENT:
            return Dead(DeathReason.PERMANENT_ERROR, text)
        case Kind.CREDENTIALS:
            return Dead(DeathReason.MISSING_CREDENTIALS, text)
        case _:
            assert_never(kind)


def _known(kind: Kind, policy: RetryPolicy) -> Kind:
    if kind is not Kind.UNKNOWN:
        return kind
    return Kind.TRANSIENT if policy.retries_unknown else Kind.PERMANENT


def retry(
    text: str,
    standing: Standing,
    *,
    now: datetime,
    jitter: float,
    floor: timedelta = timedelta(0),
    is_timeout: bool = False,
) -> Outcome:
    """Schedule the next attempt, unless this one was the last or the job is too old."""
    policy = standing.policy
    used = standing.attempts_used + 1
    if used >= policy.max_attempts:
        return Dead(DeathReason.ATTEMPTS_EXHAUSTED, text, is_timeout=is_timeout)
    delay = policy.next_delay(used, jitter=jitter, floor=floor)
    age = now + delay - (standing.first_failed_at or now) - standing.held
    if age > policy.max_age:
        return Dead(DeathReason.TOO_OLD, text, is_timeout=is_timeout)
    return Retry(delay, text, is_timeout=is_timeout)


def defer(
    until: datetime, reason: str, standing: Standing, *, now: datetime, hold: Hold | None = None
) -> Outcome:
    """Wait without using an attempt, unless the job has done nothing else for too long."""
    since = standing.deferred_since or now
    if until - since > standing.policy.longest_deferral:
        return Dead(DeathReason.DEFERRED_TOO_LONG, reason)
    return Deferred(until, reason, hold)


def time_out(timeout: timedelta, standing: Standing, *, now: datetime, jitter: float) -> Outcome:
    """Decide what follows when an action did not end in time."""
    text = f"TimeoutError: the action did not end within {timeout.total_seconds():g} s"
    if not standing.is_idempotent:
        return Dead(DeathReason.OUTCOME_UNKNOWN, text, is_timeout=True)
    return retry(text, standing, now=now, jitter=jitter, is_timeout=True)


def _rest(failure: Failure, reason: str, standing: Standing, now: datetime) -> Outcome:
    policy = standing.policy
    earliest, latest = now + policy.shortest_deferral, now + policy.longest
    until = min(max(failure.retry_at or earliest, earliest), latest)
    hold = Hold(standing.plugin_id, reason) if standing.plugin_id else None
    return defer(until, reason, standing, now=now, hold=hold)
