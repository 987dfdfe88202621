"""What the engine does when Redis goes, comes back, or changes under it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from probe import JOURNAL
from room import Room

from imbi_worker.embedded import Valkey
from imbi_worker.queue import LayoutMismatch
from waiting import until


async def restart(valkey: Valkey, room: Room) -> None:
    """Bring Redis back; the room's own connections are dead ones by then."""
    valkey.restart()
    await room.redis.connection_pool.disconnect()


@pytest.fixture
async def fragile(valkey: Valkey) -> AsyncIterator[Room]:
    """A room on a Redis of its own, with an append-only file, to kill and restart."""
    room = Room(valkey.url)
    yield room
    await room.redis.aclose()


async def test_a_job_that_ends_while_redis_is_away_is_written_when_it_is_back(
    fragile: Room, valkey: Valkey
) -> None:
    """The worker stays up, finishes first, and the job ran once."""
    enqueued = await fragile.enqueue({"label": "a", "does": "wait"}, {"label": "b"})
    async with fragile.worker(lease=timedelta(seconds=5)) as engine:
        await until(lambda: JOURNAL.of("start") == ["a"])
        valkey.kill()
        await until(lambda: not engine.is_connected)
        JOURNAL.gate.set()
        await until(lambda: JOURNAL.of("end") == ["a"])
        await restart(valkey, fragile)
        jobs = await fragile.until_ended(enqueued)
    assert [job["state"] for job in jobs] == ["succeeded", "succeeded"]
    assert JOURNAL.of("start") == ["a", "b"]


async def test_a_lease_that_ran_out_during_an_outage_is_kept_when_nobody_claimed(
    fragile: Room, valkey: Valkey
) -> None:
    enqueued = await fragile.enqueue({"label": "a", "does": "wait"})
    async with fragile.worker(lease=timedelta(seconds=1)) as engine:
        await until(lambda: JOURNAL.of("start") == ["a"])
        valkey.kill()
        await until(lambda: not engine.is_connected)
        ends = asyncio.get_running_loop().time() + 1.2
        await until(lambda: asyncio.get_running_loop().time() > ends)
        await restart(valkey, fragile)
        await until(lambda: engine.is_connected)
        JOURNAL.gate.set()
        [job] = await fragile.until_ended(enqueued)
    assert (job["state"], job["attempts"]) == ("succeeded", "1")
    assert JOURNAL.of("start") == ["a"]


async def test_a_worker_that_starts_before_redis_waits_for_it(
    fragile: Room, valkey: Valkey
) -> None:
    enqueued = await fragile.enqueue({"label": "a"})
    valkey.kill()
    async with fragile.worker() as engine:
        assert not engine.is_connected
        await restart(valkey, fragile)
        [job] = await fragile.until_ended(enqueued)
    assert job["state"] == "succeeded"


async def test_lost_scripts_are_sent_again(fragile: Room) -> None:
    """A restart or SCRIPT FLUSH forgets them."""
    async with fragile.worker() as engine:
        await until(lambda: engine.is_connected)
        await fragile.redis.script_flush()
        enqueued = await fragile.enqueue({"label": "a"})
        [job] = await fragile.until_ended(enqueued)
    assert job["state"] == "succeeded"


async def test_another_layout_is_refused_naming_both(room: Room) -> None:
    await room.redis.set("imbi:layout", 99)
    with pytest.raises(LayoutMismatch, match="holds layout 99, this program speaks layout 1"):
        async with room.worker() as engine:
            await until(lambda: engine.main_task is not None and engine.main_task.done())


async def test_a_full_redis_still_takes_endings(room: Room) -> None:
    """An enqueue is refused, what runs is finished: freeing memory must not need memory."""
    enqueued = await room.enqueue({"label": "a", "does": "wait"})
    async with room.worker(lease=timedelta(seconds=3)):
        await until(lambda: JOURNAL.of("start") == ["a"])
        await room.redis.config_set("maxmemory", "1mb")
        try:
            JOURNAL.gate.set()
            [job] = await room.until_ended(enqueued)
        finally:
            await room.redis.config_set("maxmemory", "0")
    assert job["state"] == "succeeded"


async def test_a_redis_that_was_full_from_the_start_is_worked_off(room: Room) -> None:
    """A claim must not need memory either, or nothing would ever free any."""
    enqueued = await room.enqueue({"label": "a"}, {"label": "b"})
    await room.redis.config_set("maxmemory", "1mb")
    try:
        async with room.worker():
            jobs = await room.until_ended(enqueued)
    finally:
        await room.redis.config_set("maxmemory", "0")
    assert [job["state"] for job in jobs] == ["succeeded", "succeeded"]


async def test_a_claimed_job_whose_lease_was_taken_is_stopped_and_writes_nothing(
    room: Room,
) -> None:
    """Fencing: the new holder's word counts, the old one's action is cancelled."""
    enqueued = await room.enqueue({"label": "a", "does": "wait"})
    id_ = enqueued.jobs[0].id
    async with room.worker() as engine:
        await until(lambda: JOURNAL.of("start") == ["a"])
        await room.redis.hset(f"imbi:job:{id_}", "token", "somebody else's")
        await until(lambda: len(engine._parts.in_hand) == 0)
        assert engine.endings == {}
        assert (await room.job(id_))["token"] == "somebody else's"
