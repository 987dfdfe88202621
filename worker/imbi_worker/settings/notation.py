"""How values are written in the environment: durations, lists, tables by handler."""

import json
import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("write a duration like 500ms, 30s, 5m, 2h or 1d")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])
    except OverflowError:
        raise ValueError("this is longer than anything lasts; write e.g. 30d") from None


def by_handler(value: Any) -> Any:
    """``a#b=10m,c#d=45s`` as a dict; what is no text is left to pydantic, here and below."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(handler.strip() and text.strip() for handler, _, text in pairs):
        raise ValueError("write <plugin>#<action>=<duration>, separated by commas")
    return {handler.strip(): text.strip() for handler, _, text in pairs}


def listed(value: Any) -> Any:
    """``10s,30s,2m`` as a list."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def json_object(value: Any) -> Any:
    """JSON as what it says."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('write a JSON object like {"github#sync": {"max_attempts": 3}}') from None


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
