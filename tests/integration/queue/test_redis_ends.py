"""What is told of a Redis that ends while somebody waits for its reply."""

import asyncio

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from imbi_sdk.queue.unreachable import reason
from imbi_worker.embedded import Valkey
from waiting import until


async def test_a_server_that_ends_closes_the_connection(valkey: Valkey) -> None:
    """As somebody sees it who waits for its reply."""
    async with Redis.from_url(valkey.url) as client:
        waits = asyncio.ensure_future(client.blpop(["nothing"], timeout=30))
        async with Redis.from_url(valkey.url) as other:
            await until(lambda: is_blocked(other))
        valkey.kill()
        with pytest.raises(RedisConnectionError) as failed:
            await waits
    assert reason(failed.value) == "it closed the connection"


async def is_blocked(client: Redis) -> bool:
    return bool((await client.info("clients"))["blocked_clients"])
