"""One attempt, as the engine hands it over, and what it runs under."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from imbi_sdk.attempt import Limits, RetryPolicy
from imbi_sdk.queue.job import ActionJob


class Attempt(NamedTuple):
    """A claimed job and its past; the signature has been checked.

    *event* is JSON text, parsed anew for each call. *number* counts runs from 1,
    *attempts_used* those that ended in failure or crash before this one,
    *crashes* the latter alone. *held* is the time spent under holds since the
    first failure, *deferred_since* when the present row of deferrals began.
    *after_unknown* says that nobody knows how the previous run ended.
    """

    job: ActionJob
    event: bytes
    number: int
    enqueued_at: datetime
    attempts_used: int = 0
    crashes: int = 0
    first_failed_at: datetime | None = None
    held: timedelta = timedelta(0)
    deferred_since: datetime | None = None
    after_unknown: bool = False

    def __repr__(self) -> str:
        # A job's config and its event may quote a secret.
        return f"Attempt(number={self.number}, enqueued_at={self.enqueued_at!r})"


@dataclass(frozen=True, slots=True)
class Terms:
    """How long an attempt may take, how many there may be, and whose version runs."""

    limits: Limits = field(default_factory=Limits)
    max_attempts: int = RetryPolicy().max_attempts
    plugin_version: str = ""
