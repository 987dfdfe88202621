"""What an HTTP client's error says, whichever client it is.

httpx, requests and niquests hang the response on the error (``response.status_code``),
aiohttp puts ``status`` and ``headers`` on the error itself, urllib calls it ``code``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from imbi_sdk.retry_after import number, retry_after, span

_STATUSES: Final = range(400, 600)
_RETRYABLE: Final = frozenset({408, 425, 429})
_FORBIDDEN: Final = 403
_FIRST_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class HttpFailure:
    """An answer of 400 or above; *retry_after* is what its headers ask for."""

    status: int
    retry_after: timedelta | None
    is_retryable: bool


def http_failure(error: BaseException, now: datetime) -> HttpFailure | None:
    """The HTTP answer that *error* stands for, or None if it stands for none."""
    for source in (_attribute(error, "response"), error):
        status = _status(source)
        if status is not None:
            headers = _headers(source)
            wait = _retry_after(headers, now)
            # GitHub answers 403 when a limit is used up; the headers tell it apart.
            is_limit = status == _FORBIDDEN and wait is not None
            is_retryable = status in _RETRYABLE or status >= _FIRST_SERVER_ERROR or is_limit
            return HttpFailure(status, wait, is_retryable)
    return None


def _status(source: object) -> int | None:
    # Other errors have a ``code`` too, and sys.exit(500) is no answer of a server.
    names = ("status_code", "status", *(("code",) if type(source).__name__ == "HTTPError" else ()))
    for name in names:
        value = _attribute(source, name)
        if isinstance(value, int) and value in _STATUSES:
            return int(value)
    return None


def _headers(source: object) -> dict[str, str]:
    headers = _attribute(source, "headers")
    if not isinstance(headers, Mapping):
        return {}
    try:
        items = cast("Mapping[object, object]", headers).items()
        return {str(name).lower(): str(value) for name, value in items}
    except Exception:  # noqa: BLE001 - a client's odd headers must not hide the failure
        return {}


def _retry_after(headers: dict[str, str], now: datetime) -> timedelta | None:
    moment = now.timestamp()
    if "retry-after" in headers:
        return retry_after(headers["retry-after"], moment)
    if headers.get("x-ratelimit-remaining") == "0":
        reset = number(headers.get("x-ratelimit-reset"))
        return None if reset is None else span(reset - moment)
    return None


def _attribute(source: object, name: str) -> Any:
    try:
        return getattr(source, name, None)
    except Exception:  # noqa: BLE001 - httpx raises from properties that were never set
        return None
