"""The plugin contract, sections 3.1 and 3.5: handlers, and what an error of an action means.

One entry for each fact of the document; sections and words are its own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contract_fact import Fact, holds, refuses, table
from jsonpointer import JsonPointerException

from imbi_sdk import errors
from imbi_sdk.attempt import (
    Dead,
    DeathReason,
    Deferred,
    Outcome,
    Retry,
    RetryPolicy,
    Skipped,
    Standing,
    Succeeded,
    classify,
    handler_outcome,
)
from imbi_sdk.handler import parse_handler


def handlers() -> Iterator[Fact]:
    for text in ("a#b", "github-commit-sync#sync_commits", "a1-#b_"):
        yield Fact("3.1", f"{text} is a handler", lambda t=text: "#".join(parse_handler(t)) == t)
    for text in ("a", "a#", "#b", "A#b", "a#B", "a:b", "a#b-c", "a_b#c", "1a#b", "a#b\n", " a#b"):
        yield Fact(
            "3.1",
            f"{text!r} is no handler",
            lambda t=text: refuses("is no handler", lambda: parse_handler(t)),
        )


NOW = datetime(2026, 11, 22, tzinfo=UTC)


def outcome(error: BaseException, **standing: Any) -> Outcome:
    return classify(error, Standing(**standing), now=NOW, jitter=1.0, redact=str)


def named(*path: str) -> BaseException:
    """An instance of a class of another package, known by its name and those above it."""
    cls: type = Exception
    for name in reversed(path):
        cls = type(name, (cls,), {})
    error = cls("text")
    assert isinstance(error, BaseException)
    return error


class Answer:
    """What an HTTP client's error carries."""

    def __init__(self, status: int, **headers: str) -> None:
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answered(status: int, **headers: str) -> BaseException:
    error = named("HTTPStatusError", "HTTPError")
    error.response = Answer(status, **headers)  # type: ignore[attr-defined]  # as httpx does
    return error


def classification() -> Iterator[Fact]:
    transient = [
        errors.PluginTimeoutError("t"),
        errors.PluginUnavailableError("t"),
        TimeoutError(),
        named("ConnectTimeout", "TimeoutException", "TransportError"),
        named("ReadError", "TransportError"),
        ConnectionResetError(),
        OSError(5, "io"),
        named("ConnectionError", "RedisError"),
        named("ServiceUnavailable", "DriverError"),
        named("TransientError", "Neo4jError"),
        *(answered(status) for status in (408, 429, 500, 502, 503, 504)),
        RuntimeError("other"),
    ]
    permanent = [
        errors.PluginNotFoundError("s"),
        errors.ActionNotFoundError("s", "a"),
        named("ValidationError"),
        ValueError("no token configured"),
        named("CELEvalError"),
        JsonPointerException("x"),
        NotImplementedError(),
        *(answered(status) for status in (400, 401, 404, 409, 422)),
    ]
    for error in transient:
        yield Fact("3.5", f"{_title(error)}: retried", lambda e=error: type(outcome(e)) is Retry)
    for error in permanent:
        yield Fact("3.5", f"{_title(error)}: dead", lambda e=error: type(outcome(e)) is Dead)
    until = NOW + timedelta(hours=1)
    for text, check in {
        "PluginRateLimited: deferred until retry_at": lambda: (
            outcome(errors.PluginRateLimited(until.timestamp()), plugin_id="p")
            == Deferred(until, *_hold(until))
        ),
        "429 with Retry-After: not before": lambda: (
            _delay(answered(429, retry_after="3600")) >= timedelta(hours=1)
        ),
        "PluginCredentialsMissing: dead for that reason": lambda: (
            _reason(errors.PluginCredentialsMissing("x")) is DeathReason.MISSING_CREDENTIALS
        ),
        "PluginAuthenticationFailed, the second time: dead": lambda: (
            _reason(errors.PluginAuthenticationFailed("x")) is DeathReason.PERMANENT_ERROR
        ),
        "any other error, if the operator says so: dead": lambda: (
            type(outcome(RuntimeError(), policy=RetryPolicy(retries_unknown=False))) is Dead
        ),
        "Skip: skipped": lambda: outcome(errors.Skip("nothing new")) == Skipped("nothing new"),
    }.items():
        yield Fact("3.5", text, check)


def _hold(until: datetime) -> tuple[Any, Any]:
    found = outcome(errors.PluginRateLimited(until.timestamp()), plugin_id="p")
    assert isinstance(found, Deferred)
    assert found.hold is not None
    assert found.hold.plugin_id == "p"
    return found.reason, found.hold


def _delay(error: BaseException) -> timedelta:
    found = outcome(error)
    assert isinstance(found, Retry)
    return found.delay


def _reason(error: BaseException) -> DeathReason:
    found = outcome(error)
    assert isinstance(found, Dead)
    return found.reason


def _title(error: BaseException) -> str:
    status = getattr(getattr(error, "response", None), "status_code", "")
    return f"{type(error).__name__} {status}".strip()


def reports() -> Iterator[Fact]:
    """What the activity feed reads."""
    skipped = {
        "handler not resolvable": Dead(DeathReason.HANDLER_NOT_RESOLVABLE, "x", "skipped"),
        "missing credentials": Dead(DeathReason.MISSING_CREDENTIALS, "x: y", "skipped"),
        "invalid handler_config: a: missing": Dead(
            DeathReason.INVALID_CONFIG, "invalid handler_config: a: missing", "skipped"
        ),
    }
    took = timedelta(milliseconds=1500)
    for text, ended in skipped.items():
        yield Fact(
            "3.1",
            f"{text}: skipped, without a duration",
            lambda e=ended, t=text: _line(e) == {"status": "skipped", "error": t},
        )
    yield Fact(
        "3.1",
        "the callable raised: failed, 'Type: message', with a duration",
        lambda: (
            _line(outcome(ValueError("no token")), took)
            == {"status": "failed", "error": "ValueError: no token", "duration_ms": 1500}
        ),
    )
    yield Fact(
        "3.1",
        "the callable returned: succeeded, with a duration",
        lambda: _line(Succeeded(), took) == {"status": "succeeded", "duration_ms": 1500},
    )


def _line(ended: Outcome, took: timedelta | None = None) -> dict[str, Any]:
    line = handler_outcome("a#b", ended, took)
    assert line
    return line.model_dump(exclude_none=True, exclude={"handler"})


@pytest.mark.parametrize("fact", table([*handlers(), *classification(), *reports()]))
async def test_the_contract_holds(fact: Fact) -> None:
    """Each line of the document, by its section."""
    assert await holds(fact)
