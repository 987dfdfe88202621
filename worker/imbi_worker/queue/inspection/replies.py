"""What Redis replies, as values: text, figures, moments."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def text(value: bytes | None) -> str:
    """Bytes of Redis as text; what is no UTF-8 is marked, since somebody else may have written."""
    return "" if value is None else value.decode(errors="replace")


def number(value: bytes | str | None) -> int:
    """A figure of Redis; 0 where there is none, or no end of it."""
    try:
        return int(float(value)) if value else 0
    except (ValueError, OverflowError):
        return 0


def when(value: bytes | str | None) -> datetime | None:
    """A moment of Redis, in milliseconds; None where there is none or it is out of range."""
    milliseconds = number(value)
    if not milliseconds:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None


def server_time(reply: Any) -> datetime:
    """The reply to TIME, which redis-py gives as a pair of numbers."""
    seconds, microseconds = reply
    return datetime.fromtimestamp(int(seconds) + int(microseconds) / 1_000_000, tz=UTC)


def texts(found: Mapping[bytes, bytes]) -> dict[str, str]:
    return {text(name): text(value) for name, value in found.items()}


def pairs(flat: Sequence[Any]) -> list[tuple[Any, Any]]:
    """The flat reply of a raw WITHSCORES as pairs."""
    return list(zip(flat[::2], flat[1::2], strict=True))
