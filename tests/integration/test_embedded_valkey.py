"""The embedded Valkey: answers when started, keeps its file, leaves nothing behind."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from imbi_worker.embedded import EmbeddedServerError, Valkey


async def test_it_answers_as_soon_as_start_returns(redis: Redis) -> None:
    """A caller needs no wait of its own."""
    assert await redis.ping()


async def test_a_kill_loses_nothing_that_the_append_only_file_holds(valkey: Valkey) -> None:
    """Killed and started again, at the same address, it has what it acknowledged."""
    url = valkey.url
    async with Redis.from_url(url) as client:
        await client.set("kept", b"yes", ex=60)
    valkey.kill()
    assert not valkey.answers()
    valkey.restart()
    assert valkey.url == url
    async with Redis.from_url(url) as client:
        assert await client.get("kept") == b"yes"


async def test_without_an_append_only_file_a_restart_forgets() -> None:
    """Nothing is written to disk unless asked for."""
    server = Valkey().start()
    try:
        async with Redis.from_url(server.url) as client:
            await client.set("kept", b"yes")
        server.restart()
        async with Redis.from_url(server.url) as client:
            assert await client.get("kept") is None
    finally:
        server.stop()


def test_stopping_removes_the_directory_and_may_be_repeated() -> None:
    """Nothing is left of a server that was stopped."""
    server = Valkey().start()
    directory = Path(server.url.removeprefix("unix://")).parent
    assert directory.stat().st_mode & 0o077 == 0
    server.stop()
    server.stop()
    assert not directory.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error carries the server's own last words."""
    (tmp_path / "appendonlydir").write_text("not a directory")
    with pytest.raises(EmbeddedServerError, match=r"ended before(?s:.)*appendonlydir"):
        Valkey(tmp_path, appendonly=True).start()


def test_a_stopped_server_says_so() -> None:
    """A call after the end is an error with a remedy, not a crash."""
    with pytest.raises(EmbeddedServerError, match=r"call start\(\) first"):
        Valkey().kill()
