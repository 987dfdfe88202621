"""What an attempt came to: the one vocabulary of dispatch, engine, records and tests.

    Outcome
    ├── Succeeded   the action returned
    ├── Skipped     the action itself said there was nothing to do
    ├── Retry       the attempt counts; the job runs again after ``delay``
    ├── Deferred    no attempt is used; the job runs again at ``until``
    └── Dead        the job will not run again by itself

Texts in an outcome have passed the redactor; nothing after this point may add
text of an exception.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeAlias


class DeathReason(StrEnum):
    """Why a job is dead; operators filter and group by it."""

    HANDLER_NOT_RESOLVABLE = "handler not resolvable"
    INVALID_CONFIG = "invalid handler_config"
    MISSING_CREDENTIALS = "missing credentials"
    WRONG_PLUGIN = "plugin id belongs to another plugin"
    INVALID_EVENT = "invalid event"
    INVALID_JOB = "invalid job"
    BAD_SIGNATURE = "signature not valid"
    NOT_A_COROUTINE = "action is no coroutine function"
    BAD_CALLABLE = "action has another signature"
    PERMANENT_ERROR = "permanent error"
    ATTEMPTS_EXHAUSTED = "attempts exhausted"
    TOO_OLD = "too old to retry"
    DEFERRED_TOO_LONG = "deferred too long"
    OUTCOME_UNKNOWN = "outcome unknown"
    POISON_PILL = "poison pill"
    OVERTAKEN = "overtaken"
    BODY_LOST = "body lost"


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The action returned."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """The action raised ``Skip``: a success that did nothing, with its reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """A failure worth repeating. *error* reads ``Type: message``."""

    delay: timedelta
    error: str
    is_timeout: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A stop on an integration, asked for by its remote service."""

    plugin_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """A wait that uses up no attempt; with *hold*, the whole integration waits."""

    until: datetime
    reason: str
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """The end, replayable. *reported_as* is what Imbi's activity feed reads."""

    reason: DeathReason
    error: str
    reported_as: Literal["failed", "skipped"] = "failed"
    is_timeout: bool = False


Outcome: TypeAlias = Succeeded | Skipped | Retry | Deferred | Dead
