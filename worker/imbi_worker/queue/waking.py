"""How an idle worker waits: for a token in Redis, and with its next claim already there."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from redis.exceptions import NoScriptError

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, Script


class Pipeline(Protocol):
    """Commands that go out in one write; of redis-py."""

    def execute_command(self, *args: Any, **options: Any) -> Any: ...

    async def execute(self, raise_on_error: bool = True) -> list[Any]: ...  # noqa: FBT001, FBT002 - redis-py's signature


class Pipelines(Executes, Protocol):
    """A client that can also send several commands at once."""

    def pipeline(self, transaction: bool = True) -> Pipeline: ...  # noqa: FBT001, FBT002 - redis-py's signature


async def wait_for_token(redis: Executes, at_most: timedelta) -> None:
    """Returns when a token came or the time is over.

    :raises redis.exceptions.RedisError: Redis is away
    """
    await redis.execute_command("BLPOP", keys.WAKE, _seconds(at_most))


async def run_when_woken(
    redis: Pipelines, script: Script, arguments: Sequence[Any], at_most: timedelta, *, queue: str
) -> Any:
    """What *script* replies, run as soon as a token came or the time is over.

    Both commands lie in Redis from the beginning: it reads the second one when the first has
    ended, so that the way from the token to the script costs no round trip. Repeating is the
    script's own affair: a cut connection does not tell whether it ran.

    :raises redis.exceptions.RedisError: as of the script
    """
    pipeline = redis.pipeline(transaction=False)
    pipeline.execute_command("BLPOP", keys.WAKE, _seconds(at_most))
    pipeline.execute_command("EVALSHA", script.sha, 1, queue, *arguments)
    _, reply = await pipeline.execute(raise_on_error=False)
    if isinstance(reply, NoScriptError):
        return await script(redis, [queue], arguments)
    if isinstance(reply, Exception):
        raise reply
    return reply


def _seconds(at_most: timedelta) -> str:
    return f"{at_most.total_seconds():.3f}"
