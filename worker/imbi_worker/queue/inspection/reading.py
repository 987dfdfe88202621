"""Reads for the operator's tools: one round trip for many commands, two errors to know."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import RedisError

from imbi_sdk.queue import QueueError, QueueUnavailable
from imbi_sdk.queue.unreachable import reason
from imbi_worker.queue.connection import is_forbidden, is_passing
from imbi_worker.queue.trouble import CA_SETTING

Client: TypeAlias = Redis
Command: TypeAlias = tuple[str | int | float, ...]


class NotAllowed(QueueError):  # noqa: N818 - reads as what it is at the call
    """Redis knows our user, and does not allow it this call; the text names both."""


@contextmanager
def redis_errors() -> Iterator[None]:
    """Redis' own errors as ``QueueUnavailable`` (it may answer later) or ``QueueError``."""
    try:
        yield
    except (RedisError, OSError) as error:
        if is_passing(error):
            why = reason(error, ca_setting=CA_SETTING)
            raise QueueUnavailable(f"Redis does not answer ({why})") from None
        if is_forbidden(error):
            raise NotAllowed(f"Redis does not allow it: {str(error)[:200]}") from None
        raise QueueError(f"Redis refused: {str(error)[:200]}") from None


async def ask(client: Client, commands: Sequence[Command]) -> list[Any]:
    """The replies to *commands*, in one round trip.

    :raises QueueUnavailable: Redis does not answer
    :raises QueueError: Redis refused
    """
    if not commands:
        return []
    with redis_errors():
        async with client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return list(await pipe.execute())


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
