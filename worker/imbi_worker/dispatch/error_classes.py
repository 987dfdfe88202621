"""What kind of failure an attempt was: a small fixed set, never the class of an exception."""

from collections.abc import Mapping
from typing import Final

from imbi_sdk.attempt import Dead, DeathReason, Retry, Verdict
from imbi_sdk.attempt.failure import Kind

_OWN: Final = "worker"
_BY_KIND: Final[Mapping[Kind, str]] = {
    Kind.RATE_LIMITED: "rate_limit",
    Kind.AUTHENTICATION: "authentication",
    Kind.TRANSIENT: "transient",
    Kind.UNKNOWN: "unclassified",
    Kind.PERMANENT: "permanent",
    Kind.CREDENTIALS: "credentials",
}
_BY_REASON: Final[Mapping[str, str]] = {
    DeathReason.HANDLER_NOT_RESOLVABLE: "unresolved",
    DeathReason.INVALID_CONFIG: "config",
    DeathReason.MISSING_CREDENTIALS: "credentials",
    DeathReason.WRONG_PLUGIN: "config",
    DeathReason.INVALID_EVENT: "event",
    DeathReason.INVALID_JOB: "job",
    DeathReason.BAD_SIGNATURE: "signature",
    DeathReason.NOT_A_COROUTINE: "plugin",
    DeathReason.BAD_CALLABLE: "plugin",
    DeathReason.OUTCOME_UNKNOWN: "outcome_unknown",
    DeathReason.ATTEMPTS_EXHAUSTED: "exhausted",
    # Only a graph that is away defers without an error of the action.
    DeathReason.DEFERRED_TOO_LONG: "transient",
}


def error_class(verdict: Verdict | None) -> str:
    """The kind of failure that *verdict* is; without one it was the worker's own."""
    if verdict is None:
        return _OWN
    outcome = verdict.outcome
    if isinstance(outcome, Retry | Dead) and outcome.is_timeout:
        return "timeout"
    if verdict.kind is not None and verdict.kind in _BY_KIND:
        return _BY_KIND[verdict.kind]
    return class_of_death(outcome.reason) if isinstance(outcome, Dead) else _OWN


def class_of_death(reason: str) -> str:
    """The kind of failure that a reason of death stands for."""
    return _BY_REASON.get(reason, _OWN)
