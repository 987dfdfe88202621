"""What an error means: every row of the table, for both families and every client."""

import asyncio
import json
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import jsonpointer
import pytest
from pydantic import BaseModel, ValidationError

from imbi_sdk import errors
from imbi_sdk.attempt.failure import Kind, sort

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def foreign(*names: str, base: type[BaseException] = Exception, **attributes: Any) -> BaseException:
    """An error of a class this project does not know, derived from classes named so."""
    for name in names:
        base = type(name, (base,), {})
    error = base("text")
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def answered(status: int, **headers: str) -> SimpleNamespace:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(status_code=status, headers=named)


def validation_error() -> ValidationError:
    class Model(BaseModel):
        number: int

    with pytest.raises(ValidationError) as raised:
        Model.model_validate({"number": "canary-4f1d-do-not-leak"})
    return raised.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.Skip("nothing"), Kind.SKIP),
        (errors.PluginRateLimited(NOW.timestamp()), Kind.RATE_LIMITED),
        (errors.PluginAuthenticationFailed(), Kind.AUTHENTICATION),
        (errors.PluginCredentialsMissing(), Kind.CREDENTIALS),
        (errors.PluginTimeoutError(), Kind.TRANSIENT),
        (errors.PluginUnavailableError(), Kind.TRANSIENT),
        (errors.RetryableError(), Kind.TRANSIENT),
        (errors.UpstreamError(), Kind.TRANSIENT),
        (errors.GraphUnavailable(), Kind.TRANSIENT),
        (errors.PermanentError(), Kind.PERMANENT),
        (errors.ConfigurationError(), Kind.PERMANENT),
        (errors.PluginNotFoundError("x"), Kind.PERMANENT),
        (errors.ActionNotFoundError("x", "y"), Kind.PERMANENT),
        (foreign("PluginRateLimited", retry_at=1.0), Kind.RATE_LIMITED),
        (foreign("PluginAuthenticationFailed", "TokenRevoked"), Kind.AUTHENTICATION),
        (foreign("PluginTimeoutError", "SlowService"), Kind.TRANSIENT),
        (foreign("PluginUnavailableError"), Kind.TRANSIENT),
        (foreign("PluginCredentialsMissing", base=ValueError), Kind.CREDENTIALS),
        (foreign("PluginNotFoundError"), Kind.PERMANENT),
        (TimeoutError(), Kind.TRANSIENT),
        (asyncio.CancelledError(), Kind.TRANSIENT),
        (OSError(), Kind.TRANSIENT),
        (ConnectionResetError(), Kind.TRANSIENT),
        (subprocess.TimeoutExpired("x", 1), Kind.TRANSIENT),
        (json.JSONDecodeError("x", "", 0), Kind.TRANSIENT),
        (foreign("HTTPError", "RequestError", "TransportError", "ConnectError"), Kind.TRANSIENT),
        (foreign("RequestError", "TransportError", "TimeoutException"), Kind.TRANSIENT),
        (foreign("ClientError", "ClientConnectionError"), Kind.TRANSIENT),
        (foreign("ClientError", "ClientPayloadError"), Kind.TRANSIENT),
        (foreign("RequestException", "ConnectionError", base=OSError), Kind.TRANSIENT),
        (foreign("RedisError", "ConnectionError"), Kind.TRANSIENT),
        (foreign("RedisError", "ConnectionError", "BusyLoadingError"), Kind.TRANSIENT),
        (foreign("Neo4jError", "TransientError"), Kind.TRANSIENT),
        (foreign("DriverError", "ServiceUnavailable"), Kind.TRANSIENT),
        (foreign("DriverError", "SessionExpired"), Kind.TRANSIENT),
        (ValueError("no token configured"), Kind.PERMANENT),
        (validation_error(), Kind.PERMANENT),
        (NotImplementedError(), Kind.PERMANENT),
        (jsonpointer.JsonPointerException("x"), Kind.PERMANENT),
        (foreign("CELEvalError"), Kind.PERMANENT),
        (foreign("RequestException", "InvalidURL", base=OSError), Kind.PERMANENT),
        (foreign("TransportError", "UnsupportedProtocol"), Kind.PERMANENT),
        (KeyError("x"), Kind.UNKNOWN),
        (TypeError("x"), Kind.UNKNOWN),
        (SystemExit(500), Kind.UNKNOWN),
        (KeyboardInterrupt(), Kind.UNKNOWN),
        (foreign("SomethingElse"), Kind.UNKNOWN),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else type(value).__name__,
)
def test_an_error_is_known_by_its_class(error: BaseException, kind: Kind) -> None:
    """The nearest class that has a row decides."""
    assert sort(error, NOW).kind is kind


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_an_answer_that_may_change_is_retried(status: int) -> None:
    """Wherever the client keeps its status."""
    for error in clients(status):
        assert sort(error, NOW).kind is Kind.TRANSIENT


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 499])
def test_an_answer_that_stays_is_final(status: int) -> None:
    """Even if the client's error is an OSError, which would be retried."""
    for error in clients(status):
        assert sort(error, NOW).kind is Kind.PERMANENT


def clients(status: int) -> list[BaseException]:
    return [
        foreign("HTTPError", "HTTPStatusError", response=answered(status)),
        foreign("RequestException", "HTTPError", base=OSError, response=answered(status)),
        foreign("ClientError", "ClientResponseError", status=status, headers=None),
        foreign("URLError", "HTTPError", base=OSError, code=status, headers={}),
    ]


def test_an_answer_that_was_no_error_is_left_to_the_other_rows() -> None:
    """Aiohttp's ContentTypeError comes with 200, requests' errors often with no response."""
    content_type = foreign("ClientResponseError", "ContentTypeError", status=200)
    assert sort(content_type, NOW).kind is Kind.UNKNOWN
    no_response = foreign("RequestException", "Timeout", base=OSError, response=None)
    assert sort(no_response, NOW).kind is Kind.TRANSIENT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry_After": "17"}, 17),
        ({"retry_after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90),
        ({"retry_after": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}, 0),
        ({"retry_after": "-5"}, 0),
        ({"retry_after": "soon"}, 0),
        ({"retry_after": "nan"}, 0),
        ({"retry_after": "1e400"}, 0),
        ({"retry_after": "9" * 30}, 365 * 86_400),
        (
            {
                "x_ratelimit_remaining": "0",
                "x_ratelimit_reset": str(int(NOW.timestamp()) + 60),
            },
            60,
        ),
    ],
)
def test_the_headers_say_when_to_come_back(headers: dict[str, str], seconds: int) -> None:
    """In seconds or as a date; nonsense is dropped."""
    failure = sort(foreign("HTTPStatusError", response=answered(429, **headers)), NOW)
    assert failure.retry_after == timedelta(seconds=seconds)


def test_a_used_up_limit_of_github_is_no_refusal() -> None:
    """It answers 403 and tells the limit in its headers."""
    for headers in (
        {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW.timestamp()) + 60)},
        {"retry_after": "60"},
    ):
        failure = sort(foreign("HTTPStatusError", response=answered(403, **headers)), NOW)
        assert failure.kind is Kind.TRANSIENT
        assert failure.retry_after == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        (None, 0),
        (timedelta(seconds=7), 7),
        (12, 12),
        (0.5, 0.5),
        (-3, 0),
        (timedelta(seconds=-3), 0),
        (float("nan"), 0),
        (float("inf"), 0),
        ("7", 0),
    ],
)
def test_an_author_says_when_to_come_back(wish: object, seconds: float) -> None:
    """With the SDK's class or a namesake that checks nothing."""
    failure = sort(foreign("RetryableError", retry_after=wish), NOW)
    assert failure.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("retry_at", [1e300, float("inf"), 1e15])
def test_a_moment_beyond_the_calendar_is_far_away(retry_at: float) -> None:
    """Milliseconds in place of seconds are a common slip; the policy caps the wait."""
    moment = sort(errors_with(retry_at), NOW).retry_at
    assert moment is not None
    assert moment > NOW + timedelta(days=365)


@pytest.mark.parametrize("retry_at", [None, "noon", float("nan"), -1e300])
def test_a_moment_that_is_none_is_dropped(retry_at: object) -> None:
    """The policy then chooses the wait."""
    assert sort(errors_with(retry_at), NOW).retry_at is None


def test_a_moment_with_a_zone_is_one() -> None:
    """imbi-common's own class keeps a datetime as it is; ours makes epoch seconds of it."""
    until = NOW + timedelta(minutes=1)
    for moment in (until, until.astimezone(timezone(timedelta(hours=5)))):
        assert sort(errors_with(moment), NOW).retry_at == until
    assert sort(errors_with(until.replace(tzinfo=None)), NOW).retry_at is None


def errors_with(retry_at: object) -> BaseException:
    return foreign("PluginRateLimited", retry_at=retry_at)


def test_the_most_hopeful_member_decides_for_a_group() -> None:
    """A task group wraps what its tasks raise; a rate limit must not be lost in it."""
    group = ExceptionGroup("g", [ValueError("a"), ExceptionGroup("h", [OSError("b")])])
    assert sort(group, NOW).kind is Kind.TRANSIENT
    assert sort(group, NOW).text == "ExceptionGroup: 2 errors, the first is ValueError: a"
    limited = ExceptionGroup("g", [OSError(), errors.PluginRateLimited(NOW.timestamp() + 5)])
    assert sort(limited, NOW).kind is Kind.RATE_LIMITED
    assert sort(limited, NOW).retry_at == NOW + timedelta(seconds=5)


def test_a_text_is_type_and_message() -> None:
    """As Imbi's activity feed has always read them."""
    assert sort(ValueError("wrong"), NOW).text == "ValueError: wrong"
    assert sort(OSError(), NOW).text == "OSError"
    assert sort(errors.Skip("draft"), NOW).text == "draft"


def test_a_validation_error_shows_no_input() -> None:
    """Pydantic's own text quotes what it was given."""
    assert sort(validation_error(), NOW).text == "ValidationError: number: int_parsing"


def test_an_error_that_fights_back_is_still_sorted() -> None:
    """A plugin's error may have properties and a __str__ that raise."""

    class Hostile(Exception):  # noqa: N818 - one of a kind
        @property
        def response(self) -> object:
            raise RuntimeError("not set")

        def __str__(self) -> str:
            raise RuntimeError("no text")

    failure = sort(Hostile(), NOW)
    assert failure.kind is Kind.UNKNOWN
    assert failure.text.startswith("Hostile: (its text cannot be shown")
