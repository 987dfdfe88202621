"""A worker that starts says what in this Redis would lose jobs."""

from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.typing import EventDict

from imbi_worker.embedded import Valkey
from imbi_worker.queue.inspection.health import redis_facts
from integration.engine.room import Room
from waiting import until


async def warnings_at_start(server: Valkey, log: list[EventDict]) -> dict[str, str]:
    """What a worker says of *server* when it starts: line and detail, each once."""
    room = Room(server.url)
    async with room.worker():

        async def has_beaten() -> bool:
            return await room.redis.zcard("imbi:workers") == 1

        await until(has_beaten)
        await room.until_ended(await room.enqueue({"label": "a"}))
    await room.redis.aclose()
    lines = [line for line in log if line["event"].startswith("redis.")]
    assert len({line["event"] for line in lines}) == len(lines)
    assert all(line["log_level"] == "warning" and "CONFIG SET" in line["hint"] for line in lines)
    return {line["event"]: line["detail"] for line in lines}


async def test_a_safe_redis_is_not_warned_of(valkey: Valkey, log: list[EventDict]) -> None:
    """An append-only file, and nothing is evicted."""
    assert await warnings_at_start(valkey, log) == {}


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_an_evicting_redis_is_warned_of(
    valkey: Valkey, log: list[EventDict], policy: str
) -> None:
    """A job that is evicted is lost."""
    valkey.settings["maxmemory-policy"] = policy
    valkey.restart()
    told = await warnings_at_start(valkey, log)
    assert told == {"redis.evicts": f"maxmemory-policy is {policy}"}


@pytest.mark.parametrize(
    ("save", "detail"),
    [("", "nothing is kept on disk"), ("3600 1", "there are snapshots only")],
)
async def test_a_redis_that_forgets_is_warned_of(
    tmp_path: Path, log: list[EventDict], save: str, detail: str
) -> None:
    """Without a file, and also with snapshots only."""
    server = Valkey(tmp_path, settings={"save": save}).start()
    try:
        told = await warnings_at_start(server, log)
    finally:
        server.stop()
    assert list(told) == ["redis.forgets"]
    assert told["redis.forgets"].startswith(detail)


async def test_a_redis_that_keeps_its_configuration_to_itself_costs_no_start(
    tmp_path: Path, log: list[EventDict]
) -> None:
    """As managed ones do; nobody is warned of what nobody knows."""
    server = Valkey(tmp_path).start()
    try:
        async with Redis.from_url(server.url) as redis:
            await redis.execute_command("ACL", "SETUSER", "default", "-config")
            assert await warnings_at_start(server, log) == {}
            assert (await redis_facts(redis)).persistence is None
    finally:
        server.stop()
