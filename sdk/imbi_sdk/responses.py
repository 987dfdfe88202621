"""The answers of remote services, said in the errors of this package.

Made for any HTTP client: a response is anything with ``status_code`` or
``status``, and ``headers``.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from imbi_sdk.errors import (
    PermanentError,
    PluginAuthenticationFailed,
    PluginRateLimited,
    UpstreamError,
)
from imbi_sdk.retry_after import number, retry_after, span

_UNTOLD_REST: Final = timedelta(minutes=1)
# The wait costs no attempt: without a floor, "at once" would be tried without end.
_SHORTEST_REST: Final = timedelta(seconds=1)
_FIRST_EPOCH: Final = 1e9


def raise_for_status(response: Any, *, now: float | None = None) -> None:
    """Raise what the worker acts on, if the answer is no success.

    ====================================  ==================================================
    429, and 403 at a GitHub rate limit   ``PluginRateLimited``, until the time the headers
                                          name, or for a minute when they name none
    408, 425, 5xx                         ``UpstreamError``, with the server's Retry-After
    401                                   ``PluginAuthenticationFailed``
    other 4xx, and redirects              ``PermanentError``: asking again cannot help
    ====================================  ==================================================

    304 is a success. *now* (epoch seconds) is for tests. The text names the
    method, the status and the address without query and user; never the body.
    """
    status = _status(response)
    if status < 300 or status == 304:  # noqa: PLR2004 - statuses are best known by number
        return
    text = f"{_request(response)} answered {status}"
    headers = _headers(response)
    moment = time.time() if now is None else now
    if status == 429 or (status == 403 and _is_rate_limit(headers)):  # noqa: PLR2004 - statuses
        rest = _rest(headers, moment)
        wait = _UNTOLD_REST if rest is None else max(rest, _SHORTEST_REST)
        raise PluginRateLimited(moment + wait.total_seconds(), f"{text}: rate limited")
    if status in {408, 425} or status >= 500:  # noqa: PLR2004 - statuses
        raise UpstreamError(text, retry_after=retry_after(headers.get("retry-after"), moment))
    if status == 401:  # noqa: PLR2004 - statuses
        raise PluginAuthenticationFailed(f"{text}: the credential was refused")
    if status < 400:  # noqa: PLR2004 - statuses
        raise PermanentError(f"{text}: a redirect, which is not followed")
    raise PermanentError(text)


def _status(response: Any) -> int:
    for name in ("status_code", "status"):
        found = getattr(response, name, None)
        if isinstance(found, int):
            return int(found)
    raise TypeError(
        f"{type(response).__name__} is no HTTP response: it has neither status_code nor status"
    )


def _headers(response: Any) -> dict[str, str]:
    # Some clients' headers are no Mapping, but all have items.
    items: Any = getattr(getattr(response, "headers", None), "items", None)
    return {str(name).lower(): str(value) for name, value in items()} if items else {}


def _is_rate_limit(headers: Mapping[str, str]) -> bool:
    return headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers


def _rest(headers: Mapping[str, str], now: float) -> timedelta | None:
    """How long to stay away, by whichever header says it."""
    wait = retry_after(headers.get("retry-after"), now)
    if wait is not None or headers.get("x-ratelimit-remaining", "0") != "0":
        return wait
    reset = number(headers.get("x-ratelimit-reset"))
    if reset is None:
        return None
    # GitHub names a moment; others, by the same header, the seconds that are left.
    return span(reset - now if reset > _FIRST_EPOCH else reset)


def _request(response: Any) -> str:
    method = _attribute(response, "method") or _attribute(_attribute(response, "request"), "method")
    address = _attribute(response, "url")
    where = _address(str(address)) if address else "the service"
    return f"{method} {where}" if isinstance(method, str) else where


def _attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name, None)
    except RuntimeError:  # httpx, of a response that was made without a request
        return None


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the service"
    return f"{parts.hostname or ''}{port}{parts.path}" or "the service"
