from imbi_sdk.attempt.call import Interrupted
from imbi_sdk.attempt.classification import Standing, classify, defer
from imbi_sdk.attempt.config import ConfigValidator, InvalidConfig, validate_config
from imbi_sdk.attempt.event import InvalidEvent, parse_event
from imbi_sdk.attempt.outcome import (
    Dead,
    DeathReason,
    Deferred,
    Hold,
    Outcome,
    Retry,
    Skipped,
    Succeeded,
)
from imbi_sdk.attempt.policy import RetryPolicy
from imbi_sdk.attempt.redaction import Redactor
from imbi_sdk.attempt.report import HandlerOutcome, handler_outcome
from imbi_sdk.attempt.run import Tools, run_attempt
from imbi_sdk.attempt.verdict import (
    Action,
    Assignment,
    Clock,
    Limits,
    Settled,
    Supplies,
    Supply,
    Verdict,
)

__all__ = [
    "Action",
    "Assignment",
    "Clock",
    "ConfigValidator",
    "Dead",
    "DeathReason",
    "Deferred",
    "HandlerOutcome",
    "Hold",
    "Interrupted",
    "InvalidConfig",
    "InvalidEvent",
    "Limits",
    "Outcome",
    "Redactor",
    "Retry",
    "RetryPolicy",
    "Settled",
    "Skipped",
    "Standing",
    "Succeeded",
    "Supplies",
    "Supply",
    "Tools",
    "Verdict",
    "classify",
    "defer",
    "handler_outcome",
    "parse_event",
    "run_attempt",
    "validate_config",
]
