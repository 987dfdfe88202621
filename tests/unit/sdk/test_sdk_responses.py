"""Answers of remote services, for any HTTP client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from types import SimpleNamespace
from typing import Any

import pytest

from imbi_sdk import (
    PermanentError,
    PluginAuthenticationFailed,
    PluginRateLimited,
    UpstreamError,
    raise_for_status,
)

NOW = 1_800_000_000.0
URL = "https://ada:canary-4f1d-do-not-leak@api.example.com:8443/v1/tickets?token=canary-4f1d-do-not-leak#x"


@dataclass
class Answer:
    """As httpx and requests have it."""

    status_code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = URL
    request: Any = field(default_factory=lambda: SimpleNamespace(method="PATCH"))
    text: str = "canary-4f1d-do-not-leak"


def raised(status: int, **headers: str) -> Exception:
    answer = Answer(status, {name.replace("_", "-"): value for name, value in headers.items()})
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at its class
        raise_for_status(answer, now=NOW)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 204, 304])
def test_a_success_says_nothing(status: int) -> None:
    """304 is a success: there is nothing new."""
    raise_for_status(Answer(status))


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 599])
def test_a_failing_service_is_tried_again(status: int) -> None:
    """Without a wish of the server's the worker's backoff counts."""
    error = raised(status)
    assert type(error) is UpstreamError
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta(0)),
        (" 7 ", timedelta(seconds=7)),
        ("-7", timedelta(0)),
        ("Fri, 15 Jan 2027 08:00:30 GMT", timedelta(seconds=30)),
        ("Fri, 15 Jan 2027 08:00:30", timedelta(seconds=30)),
        ("Fri, 15 Jan 2027 07:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e300", timedelta(days=365)),
        ("Fri, 99 Foo 2027 08:00:30 GMT", None),
    ],
)
def test_the_servers_wish_is_read(value: str, wait: timedelta | None) -> None:
    """Seconds or a date; a moment past is now, and nonsense is no wish."""
    error = raised(503, retry_after=value)
    assert isinstance(error, UpstreamError)
    assert error.retry_after == wait


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {}, 60),
        (429, {"Retry_After": "30"}, 30),
        (429, {"retry_after": "0"}, 1),
        (429, {"retry_after": "soon"}, 60),
        (429, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": f"{NOW + 90:.0f}"}, 90),
        (429, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": f"{NOW - 90:.0f}"}, 1),
        (429, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "45"}, 45),
        (429, {"x_ratelimit_remaining": "9", "x_ratelimit_reset": f"{NOW + 90:.0f}"}, 60),
        (403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{NOW + 90:.0f}"}, 90),
        (403, {"x_ratelimit_remaining": "0"}, 60),
        (403, {"retry_after": "120", "x_ratelimit_remaining": "12"}, 120),
    ],
)
def test_a_rate_limit_is_respected(status: int, headers: dict[str, str], wait: float) -> None:
    """GitHub's two limits among them; never less than a second, a minute if untold."""
    error = raised(status, **headers)
    assert isinstance(error, PluginRateLimited)
    assert error.retry_at == NOW + wait


def test_a_refused_credential_is_told_apart() -> None:
    """The worker fetches it anew."""
    assert type(raised(401)) is PluginAuthenticationFailed


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422, 451])
def test_a_refusal_is_final(status: int) -> None:
    """Asking again cannot help."""
    error = raised(status)
    assert type(error) is PermanentError
    assert str(error).endswith(f"answered {status}")


def test_a_forbidden_call_with_budget_left_is_final() -> None:
    """GitHub sends its counters with every answer."""
    error = raised(403, x_ratelimit_remaining="41", x_ratelimit_reset=f"{NOW + 90:.0f}")
    assert type(error) is PermanentError


@pytest.mark.parametrize("status", [300, 301, 302, 307, 399])
def test_a_redirect_that_was_not_followed_is_no_success(status: int) -> None:
    """The call did not happen."""
    error = raised(status)
    assert type(error) is PermanentError
    assert str(error).endswith("a redirect, which is not followed")


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500])
def test_the_text_names_the_address_without_secrets(status: int, canary: str) -> None:
    """Method, status, host and path; no user, no query, no body."""
    text = str(raised(status))
    assert text.startswith(f"PATCH api.example.com:8443/v1/tickets answered {status}")
    assert canary not in text


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://[bad", "the service"),
        ("http://h:99999999/x", "the service"),
        ("", "the service"),
        ("?q=1", "the service"),
    ],
)
def test_an_address_that_cannot_be_read_is_left_out(url: str, where: str) -> None:
    """The error that is told is the service's."""
    with pytest.raises(PermanentError, match=f"^PATCH {where} answered 404$"):
        raise_for_status(Answer(404, url=url))


def test_the_clients_of_others_are_understood() -> None:
    """Aiohttp has ``status`` and ``method``; the standard library's headers are no mapping."""
    headers = Message()
    headers["Retry-After"] = "9"
    aiohttp_like = SimpleNamespace(status=503, method="GET", url="http://h/p?q=1", headers=headers)
    with pytest.raises(UpstreamError, match=r"^GET h/p answered 503$") as caught:
        raise_for_status(aiohttp_like)
    assert caught.value.retry_after == timedelta(seconds=9)


def test_a_response_without_a_request_is_understood() -> None:
    """Httpx raises when asked for one that is not there."""

    class Detached:
        status_code = 500
        headers = None

        @property
        def url(self) -> str:
            raise RuntimeError("no request")

        request = url

    with pytest.raises(UpstreamError, match=r"^the service answered 500$"):
        raise_for_status(Detached())


def test_what_is_no_response_is_a_mistake() -> None:
    """A forgotten ``await`` does not pass as a success."""
    with pytest.raises(TypeError, match="object is no HTTP response"):
        raise_for_status(object())


def test_the_clock_is_the_systems_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production the moment is now."""
    monkeypatch.setattr("time.time", lambda: NOW)
    with pytest.raises(PluginRateLimited) as caught:
        raise_for_status(Answer(429, {"retry-after": "5"}))
    assert caught.value.retry_at == NOW + 5
