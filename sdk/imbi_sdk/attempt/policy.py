"""When a failed attempt runs again, and when it has failed often enough."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from imbi_sdk.webhook import ActionDescriptor

_BACKOFF = (
    timedelta(seconds=10),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
# A thousand jobs that were told the same Retry-After must not come back in one instant.
_SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a failing job is tried.

    *backoff* holds the windows after the first, second, ... failure; the last one
    repeats. *max_age* runs from the first failure to the start of the next
    attempt, without the time spent under a hold. *longest* caps what a remote
    service may ask for, *shortest_deferral* keeps one that asks for nothing from
    being called in a circle, *longest_deferral* ends a job that only ever waits.
    With *retries_unknown* off, an error no table names buries the job at once.
    """

    backoff: tuple[timedelta, ...] = _BACKOFF
    max_attempts: int = 8
    max_age: timedelta = timedelta(hours=24)
    longest: timedelta = timedelta(hours=6)
    shortest_deferral: timedelta = timedelta(seconds=5)
    longest_deferral: timedelta = timedelta(days=7)
    retries_unknown: bool = True

    def __post_init__(self) -> None:
        if not self.backoff or min(self.backoff) < timedelta(0):
            raise ValueError("backoff needs one window or more, and none below zero")
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts must be 1 or more, not {self.max_attempts}")
        if self.longest < self.shortest_deferral:
            raise ValueError("longest must not be below shortest_deferral")

    def next_delay(
        self, attempt: int, *, jitter: float, floor: timedelta = timedelta(0)
    ) -> timedelta:
        """How long to wait after failed attempt number *attempt* (from 1).

        *jitter* is a position in the backoff window, 0 to 1: at 0 the job runs
        again at once, at 1 after the whole window (full jitter). *floor* is the
        server's ``Retry-After``. The result is never below the floor, unless that
        lies above ``longest``, and never above ``longest`` or the window itself,
        whichever is more.
        """
        window = self.backoff[min(attempt, len(self.backoff)) - 1]
        asked = min(floor * (1 + _SPREAD * jitter), max(floor, self.longest))
        return max(window * jitter, min(asked, self.longest))

    def for_action(self, descriptor: ActionDescriptor) -> Self:
        """This policy with what the action's author has declared in its place."""
        max_attempts, retry = descriptor.max_attempts, descriptor.retry
        if max_attempts is None and retry is None:
            return self
        return replace(
            self,
            max_attempts=self.max_attempts if max_attempts is None else max_attempts,
            backoff=self.backoff if retry is None else retry,
        )
