"""Workers with nothing to do, or with nothing left to do but to write it down."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest
from probe import JOURNAL
from redis.asyncio import Redis
from room import Room

from imbi_sdk.queue import keys
from imbi_worker.queue import claim_loop
from waiting import until

TWELVE = [f"p{number}" for number in range(12)]


async def is_waiting(room: Room, workers: int = 1) -> bool:
    return int((await room.redis.info("clients"))["blocked_clients"]) == workers


@asynccontextmanager
async def two_idle_workers(
    room: Room, monkeypatch: pytest.MonkeyPatch, *, concurrency: int
) -> AsyncIterator["asyncio.Task[object]"]:
    """A worker that waits for a token, and behind it one of which there is only the waiting.

    The task given is the second one's; it has ended when somebody woke it.
    """
    # Longer than the test: neither looks up by itself meanwhile.
    monkeypatch.setattr(claim_loop, "_LONGEST_SLEEP", timedelta(seconds=4))
    monkeypatch.setattr(claim_loop, "_TICK", timedelta(minutes=1))
    async with (
        room.worker(concurrency=concurrency, lease=timedelta(seconds=30)),
        Redis.from_url(room.url.get_secret_value()) as redis,
    ):
        await until(lambda: is_waiting(room))
        second = asyncio.create_task(redis.blpop([keys.WAKE], timeout=0))
        await until(partial(is_waiting, room, 2))
        try:
            yield second
        finally:
            JOURNAL.gate.set()
            second.cancel()
            await asyncio.wait({second})


async def test_a_worker_that_drains_while_it_waits_holds_up_no_job(room: Room) -> None:
    """Its waiting claim is taken back: what comes next is another worker's at once."""
    async with room.worker() as leaving:
        await until(lambda: is_waiting(room))
        leaving.drain()
    enqueued = await room.enqueue({"label": "a"})
    assert await room.state(enqueued.jobs[0].id) == "waiting"
    async with room.worker():
        [job] = await room.until_ended(enqueued)
    assert (job["state"], job["attempts"]) == ("succeeded", "1")


async def test_jobs_run_one_after_the_other_through_a_waiting_worker(room: Room) -> None:
    """Each comes when the worker waits again, whatever the one before it was like."""
    async with room.worker():
        for number in range(6):
            await until(lambda: is_waiting(room))
            config = {"label": str(number), "does": "sleep", "seconds": 0.02 * (number % 3)}
            await room.until_ended(await room.enqueue(config, delivery=f"d{number}"))
    assert JOURNAL.of("end") == ["0", "1", "2", "3", "4", "5"]


async def test_more_jobs_than_a_waiting_claim_asks_for_all_run_at_once(room: Room) -> None:
    """The worker asks for the rest when it hears of the first ones."""
    async with room.worker(concurrency=50) as engine:
        await until(lambda: is_waiting(room))
        enqueued = [
            await room.enqueue({"label": str(n), "does": "wait"}, delivery=f"d{n}", project=f"p{n}")
            for n in range(20)
        ]
        await until(lambda: engine.vitals.running == 20)
        JOURNAL.gate.set()
        for one in enqueued:
            await room.until_ended(one)


async def test_a_woken_worker_takes_few_jobs_first_and_wakes_nobody_for_the_others(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back for them at once: another one would wake for nothing."""
    async with two_idle_workers(room, monkeypatch, concurrency=50) as second:
        enqueued = await room.enqueue({"label": "a", "does": "wait"}, projects=TWELVE)
        await until(lambda: len(JOURNAL.of("start")) == 12)
        tokens = [(await room.job(job.id))["token"] for job in enqueued.jobs]
        claims = Counter(token.rpartition("/")[0] for token in tokens)
        assert sorted(claims.values()) == [4, 8]
        assert not second.done()


async def test_a_woken_worker_without_slots_for_the_others_wakes_the_next(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_idle_workers(room, monkeypatch, concurrency=4) as second:
        await room.enqueue({"label": "a", "does": "wait"}, projects=TWELVE)
        await until(lambda: len(JOURNAL.of("start")) == 4)
        await until(second.done)


async def test_an_action_that_has_ended_takes_no_slot_until_it_is_written_down(
    room: Room,
) -> None:
    """Lease and bytes stay taken: only Redis' answer ends them."""
    enqueued = await room.enqueue({"label": "a", "does": "wait"})
    async with room.worker(lease=timedelta(seconds=9)) as engine:
        in_hand = engine._parts.in_hand
        await until(lambda: JOURNAL.of("start") == ["a"])
        assert in_hand.running == 1
        # Redis answers nobody for a while.
        await room.redis.client_pause(500)
        JOURNAL.gate.set()
        await until(lambda: in_hand.running == 0)
        assert len(in_hand) == 1
        assert in_hand.budget.taken > 0
        await room.until_ended(enqueued)
        await until(lambda: len(in_hand) == 0)
        assert in_hand.running == 0
