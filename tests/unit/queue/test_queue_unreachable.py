"""Why Redis does not answer, in words an operator can use."""

import socket
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from imbi_sdk.queue.unreachable import reason


async def told(client: Redis) -> str:
    async with client:
        with pytest.raises(RedisConnectionError) as failed:
            await client.ping()
    return reason(failed.value)


async def test_a_port_that_nobody_listens_at_refuses() -> None:
    """And not: ConnectionError."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert await told(Redis(host="127.0.0.1", port=port)) == "connection refused"


async def test_a_socket_that_is_not_there_is_no_such_file(tmp_path: Path) -> None:
    missing = Redis(unix_socket_path=str(tmp_path / "redis.sock"))
    assert await told(missing) == "no such file or directory"


def test_a_host_that_nobody_knows_is_no_such_host() -> None:
    """The resolver's own words differ from system to system."""
    failure = RedisConnectionError("Error -2 connecting to nowhere:6379.")
    failure.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert reason(failure) == "no such host"


def test_a_server_that_is_mute_gives_no_reply_in_time() -> None:
    """The library's own text may quote what it waited for."""
    assert reason(RedisTimeoutError("Timeout reading from canary-4f1d")) == "no reply in time"


def test_what_the_system_has_no_word_for_is_named_by_its_kind() -> None:
    assert reason(RedisConnectionError("Connection closed by canary-4f1d")) == "ConnectionError"
