"""Asking Redis for the operator's tools: one round trip for many commands, two errors to know."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import RedisError

from imbi_sdk.queue import QueueError, QueueUnavailable
from imbi_sdk.queue.unreachable import reason
from imbi_worker.queue.connection import is_forbidden, is_passing
from imbi_worker.queue.errors import NotAllowed
from imbi_worker.queue.trouble import CA_SETTING

Client: TypeAlias = Redis
Command: TypeAlias = tuple[str | int | float, ...]


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
