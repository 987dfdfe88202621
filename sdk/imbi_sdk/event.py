"""The event context: what an action is told about the delivery it runs for."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

REDACTED: Final = "[redacted]"

# The headers by which a sender proves itself, and any credential a proxy may add.
REDACTED_HEADERS: Final = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-gitlab-token",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-pagerduty-signature",
        "x-sonar-webhook-hmac-sha256",
    }
)

_SURROGATE = re.compile("[\ud800-\udfff]")


def event_context(
    *,
    event_type: str,
    service: str,
    attributed_to: str = "",
    webhook_id: str,
    headers: Mapping[str, str],
    payload: Any,
) -> dict[str, Any]:
    """Build the object that filters see and that an action receives as ``event``.

    *event_type* is ``""`` when the integration selects none, *attributed_to* the
    user's email or ``""``. Header names come out in lower case, those of
    `REDACTED_HEADERS` without their value. A *payload* that is no JSON object
    becomes ``{}``. Nothing of the arguments is changed or shared.
    """
    body = cast("dict[str, Any]", payload) if isinstance(payload, dict) else {}
    return {
        "type": event_type,
        "third_party_service": service,
        "attributed_to": attributed_to,
        "metadata": {"webhook_id": webhook_id, "headers": _redacted(headers)},
        "payload": replace_lone_surrogates(body),
    }


def without_logins(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an event context whose `REDACTED_HEADERS` have lost their values.

    `event_context` leaves them out already; this is for a context that somebody else made.
    """
    content = dict(event)
    metadata = _object(content.get("metadata"))
    headers = _object(metadata.get("headers"))
    if any(map(_is_login, headers)):
        shown = {name: REDACTED if _is_login(name) else headers[name] for name in headers}
        content["metadata"] = {**metadata, "headers": shown}
    return content


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _is_login(name: Any) -> bool:
    return isinstance(name, str) and name.lower() in REDACTED_HEADERS


def replace_lone_surrogates(value: Any) -> Any:
    r"""Copy a JSON value with U+FFFD in place of every lone surrogate, in keys too.

    JSON allows ``"\ud800"``; UTF-8, and so every store behind us, does not.
    """
    # A list of what is left to do, not recursion: the sender decides how deep a body is.
    root: list[Any] = [None]
    pending: list[tuple[Any, Any, Any]] = [(root, 0, value)]
    while pending:
        target, key, item = pending.pop()
        if isinstance(item, str):
            target[key] = whole(item)
        elif isinstance(item, dict):
            members = cast("dict[str, Any]", item)
            target[key] = copy = dict.fromkeys(map(whole, members))
            pending.extend((copy, whole(name), member) for name, member in members.items())
        elif isinstance(item, list):
            elements = cast("list[object]", item)
            target[key] = places = [None] * len(elements)
            pending.extend((places, place, element) for place, element in enumerate(elements))
        else:
            target[key] = item
    return root[0]


def whole(text: str) -> str:
    """*text* with U+FFFD in place of every lone surrogate."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _redacted(headers: Mapping[str, str]) -> dict[str, str]:
    lowered = ((name.lower(), value) for name, value in headers.items())
    return {name: REDACTED if name in REDACTED_HEADERS else whole(value) for name, value in lowered}
