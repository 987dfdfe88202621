"""The event of an attempt: JSON bytes in, an object of its own out."""

import asyncio
import json
import re
from typing import Any, Final, cast

from pydantic_core import from_json

from imbi_sdk.event import replace_lone_surrogates

_POSITION = re.compile(r"line \d+ column \d+")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_DEEPEST: Final = 200  # what pydantic_core reads too, so that both ways agree
_LARGE: Final = 1_048_576


class InvalidEvent(Exception):  # noqa: N818 - a finding about a job, not a failure of ours
    """Why an event cannot be given to an action; quotes nothing of it."""


async def parse_event(data: bytes) -> dict[str, Any]:
    """Parse the event of one attempt; above 1 MiB in a thread.

    Lone surrogates become U+FFFD, as in the gateway.

    :raises InvalidEvent: no JSON (NaN included), no object, or deeper than 200 levels
    """
    if len(data) > _LARGE:
        return await asyncio.to_thread(_parse, data)
    return _parse(data)


def body_of(event: dict[str, Any]) -> Any:
    """The raw body in an event context; ``{}`` where there is none."""
    return event.get("payload", {})


def _parse(data: bytes) -> dict[str, Any]:
    try:
        value = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        if _SURROGATE_ESCAPE.search(data) is None:
            raise InvalidEvent(_problem(error)) from None
        value = _parse_leniently(data)
    if not isinstance(value, dict):
        found = type(cast("object", value)).__name__
        raise InvalidEvent(f"the event is a JSON {found}, not an object")
    return cast("dict[str, Any]", value)


def _parse_leniently(data: bytes) -> Any:
    try:
        value = json.loads(data.decode(), parse_constant=_refuse)
    except RecursionError:
        raise InvalidEvent(_TOO_DEEP) from None
    except ValueError as error:
        raise InvalidEvent(_problem(error)) from None
    if _is_too_deep(value):
        raise InvalidEvent(_TOO_DEEP)
    return replace_lone_surrogates(value)


_TOO_DEEP: Final = f"the event is nested deeper than {_DEEPEST} levels"


def _problem(error: ValueError) -> str:
    text = str(error)
    if "recursion limit" in text:
        return _TOO_DEEP
    position = _POSITION.search(text)
    return f"the event is no JSON: {position[0]}" if position else "the event is no JSON"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST + 1):
        level = [
            member
            for item in level
            if isinstance(item, dict | list)
            for member in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
