"""What Imbi's activity feed is told about a job that has ended."""

from datetime import timedelta
from typing import ClassVar, Final, Literal, assert_never

from pydantic import BaseModel, ConfigDict

from imbi_sdk.attempt.outcome import (
    Dead,
    DeathReason,
    Deferred,
    Outcome,
    Retry,
    Skipped,
    Succeeded,
)

# The feed has always read these two bare; the operator's pages show the whole text.
_BARE: Final = frozenset({DeathReason.HANDLER_NOT_RESOLVABLE, DeathReason.MISSING_CREDENTIALS})


class HandlerOutcome(BaseModel):
    """One rule's line in the activity feed; dump it with ``exclude_none``."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    handler: str
    status: Literal["succeeded", "failed", "skipped"]
    error: str | None = None
    duration_ms: int | None = None


def handler_outcome(
    handler: str, outcome: Outcome, duration: timedelta | None = None
) -> HandlerOutcome | None:
    """The line for *outcome*, or None while the job will run again."""
    milliseconds = None if duration is None else round(duration.total_seconds() * 1_000)
    match outcome:
        case Succeeded():
            return HandlerOutcome(handler=handler, status="succeeded", duration_ms=milliseconds)
        case Skipped(reason):
            return HandlerOutcome(
                handler=handler, status="skipped", error=reason, duration_ms=milliseconds
            )
        case Dead():
            is_bare = outcome.reported_as == "skipped" and outcome.reason in _BARE
            return HandlerOutcome(
                handler=handler,
                status=outcome.reported_as,
                error=outcome.reason.value if is_bare else outcome.error,
                duration_ms=milliseconds,
            )
        case Retry() | Deferred():
            return None
        case _:
            assert_never(outcome)
