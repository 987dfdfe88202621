"""A large reply leaves nothing behind in the connection that carried it."""

from typing import Any

from pydantic import SecretStr

from imbi_worker.queue import connect

MIB = 1024**2


def reader(redis: Any) -> Any:
    """What the pool's one idle connection reads with."""
    (connection,) = redis.connection_pool._available_connections
    return connection._parser._reader


async def test_the_room_of_a_large_reply_is_given_up(redis_url: str) -> None:
    """The parser would keep it, 25 MB for a large event, until the next reply comes."""
    redis = connect(SecretStr(redis_url), queue="q")
    try:
        await redis.set("large", b"x" * 5 * MIB, ex=60)
        first = reader(redis)
        assert len(await redis.get("large")) == 5 * MIB
        assert reader(redis) is not first
        assert await redis.get("large") == b"x" * 5 * MIB
    finally:
        await redis.aclose()


async def test_usual_replies_share_a_reader(redis_url: str) -> None:
    redis = connect(SecretStr(redis_url), queue="q")
    try:
        await redis.set("small", b"x" * 50_000, ex=60)
        first = reader(redis)
        for _ in range(30):
            await redis.get("small")
        assert reader(redis) is first
    finally:
        await redis.aclose()


async def test_replies_behind_a_large_one_are_all_read(redis_url: str) -> None:
    """They may lie in the same reader already: it is given up only when it is empty."""
    redis = connect(SecretStr(redis_url), queue="q")
    try:
        large = b"x" * 3 * MIB
        await redis.set("large", large, ex=60)
        pipeline = redis.pipeline(transaction=False)
        for n in range(500):
            pipeline.echo(str(n))
            if n % 100 == 0:
                pipeline.get("large")
        replies = await pipeline.execute()
        assert replies.count(large) == 5
        assert [reply for reply in replies if reply != large] == [
            str(n).encode() for n in range(500)
        ]
        assert await redis.echo("7") == b"7"
    finally:
        await redis.aclose()
