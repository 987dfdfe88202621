"""Values of ours as JSON: the same from the command line and over HTTP.

Moments are in UTC with their zone, durations are seconds under ``<name>_seconds``.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, get_args, get_type_hints


def plain(value: object) -> Any:
    """*value* as what ``json.dumps`` takes."""
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {shown: plain(getattr(value, name)) for name, shown in members(type(value)).items()}
    return _single(value)


def _single(value: object) -> Any:
    match value:
        case datetime():
            return moment(value)
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.value
        case _:
            return value


def moment(at: datetime | None) -> str:
    """A moment in UTC; empty for none."""
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")


@cache
def members(kind: Any) -> Mapping[str, str]:
    """The fields of a dataclass, and how each is called in JSON."""
    hints = get_type_hints(kind)
    return {
        one.name: f"{one.name}_seconds" if _is_duration(hints[one.name]) else one.name
        for one in fields(kind)
    }


def _is_duration(hint: Any) -> bool:
    return hint is timedelta or timedelta in get_args(hint)
