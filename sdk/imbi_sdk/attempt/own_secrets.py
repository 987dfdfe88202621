"""Secrets that a job brings itself: what stands below a telling name in config and headers.

A rule may hold a token, and a sender's header may be one. An action's error can quote them
as well as a stored credential.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from imbi_sdk.attempt.redaction import is_telling
from imbi_sdk.event import REDACTED, REDACTED_HEADERS

_REMEMBERED: Final = 256
# Larger ones are read anew for each attempt: remembering them would cost more memory than time.
_LONGEST: Final = 16_384


def secrets_in_config(text: str) -> tuple[str, ...]:
    """The values below telling names in a ``handler_config``; none of a text that is no JSON."""
    return _remembered(text) if len(text) <= _LONGEST else _read(text)


def secrets_in_headers(event: Any) -> tuple[str, ...]:
    """The values of telling headers, with and without the scheme before them."""
    found: list[str] = []
    for name, value in _headers(event).items():
        if value != REDACTED and _is_telling_header(name):
            found += {value, value.partition(" ")[2]}
    return tuple(found)


@lru_cache(maxsize=_REMEMBERED)
def _is_telling_header(name: str) -> bool:
    return name.lower() in REDACTED_HEADERS or is_telling(name)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(text: str) -> tuple[str, ...]:
    return _read(text)


def _read(text: str) -> tuple[str, ...]:
    try:
        return tuple(_below(json.loads(text)))
    except (ValueError, RecursionError):
        return ()


def _below(root: object) -> Iterator[str]:
    pending = [(root, False)]
    while pending:
        value, is_secret = pending.pop()
        if isinstance(value, dict):
            members = cast("dict[str, object]", value)
            pending += [(member, is_secret or is_telling(name)) for name, member in members.items()]
        elif isinstance(value, list):
            pending += [(member, is_secret) for member in cast("list[object]", value)]
        elif is_secret and value is not None and not isinstance(value, bool):
            yield str(value)


def _headers(event: Any) -> dict[str, str]:
    """Those of an event context; anything else has none."""
    named = _object(_object(_object(event).get("metadata")).get("headers"))
    return {str(name): value for name, value in named.items() if isinstance(value, str)}


def _object(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
