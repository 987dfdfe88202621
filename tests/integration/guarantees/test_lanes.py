"""Many lanes, long lanes, and the lane that has waited longest."""

import asyncio
from datetime import timedelta

import pytest

from imbi_sdk.queue import JobContext, Target, WebhookRule
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.lanes import longest_waiting
from integration.engine.room import Room
from integration.guarantees.puppets import STAGE
from integration.guarantees.scale import scaled
from waiting import until

WHILE_MANY_RUN = 300


async def until_empty(room: Room) -> None:
    async def is_empty() -> bool:
        return await room.redis.zcard("imbi:queue") == 0

    await until(is_empty, within=WHILE_MANY_RUN)


async def counted(room: Room, ending: str) -> int:
    return int(await room.redis.hget("imbi:counters", ending) or 0)


@pytest.mark.timeout(400)
async def test_ten_thousand_lanes_of_one_job(room: Room) -> None:
    """Each is due at once, all run, and no lane is left."""
    count = scaled(10_000, 3_000)
    for start in range(0, count, 1000):
        targets = [
            Target(JobContext(project_id=f"p{n}", project_slug="p", org_slug="o"))
            for n in range(start, start + 1000)
        ]
        await room.queue.enqueue_delivery(
            delivery=f"d{start}",
            webhook_id="w1",
            event={"type": "push", "metadata": {"headers": {}}, "payload": {}},
            rules=[WebhookRule(handler="probe#quiet", handler_config="{}")],
            targets=targets,
        )
    assert await room.redis.zcount("imbi:queue", "-inf", "(4102444800000") == count
    async with room.worker():
        await until_empty(room)
    assert await counted(room, "succeeded:probe#quiet") == count
    assert await room.redis.keys("imbi:lane:*") == []


@pytest.mark.timeout(400)
async def test_one_lane_of_ten_thousand_jobs(room: Room) -> None:
    """One at a time, in their order, with two workers at it and 100 slots each."""
    count = scaled(10_000, 1_000)
    labels = [str(number) for number in range(count)]
    for start in range(0, count, 1000):
        configs = [{"label": label} for label in labels[start : start + 1000]]
        await room.enqueue(*configs, delivery=f"d{start}")
    assert await room.redis.zcount("imbi:queue", "-inf", "(4102444800000") == 1
    async with room.worker(), room.worker():
        await until_empty(room)
    assert STAGE.of("start") == labels
    assert [what for what, _ in STAGE.seen] == ["start", "end"] * count


async def test_the_lane_that_has_waited_longest_is_visible(room: Room) -> None:
    """Who leads it, since when its next job waits, and how many there are."""
    assert await longest_waiting(Inspection(room.redis)) is None
    gate = asyncio.Event()
    STAGE.plays["slow"] = STAGE.plays["head"] = lambda _: gate.wait()
    alone = await room.enqueue({"label": "slow"}, delivery="d0", project="p0")
    async with room.worker(lease=timedelta(seconds=15)):
        await until(lambda: STAGE.of("start") == ["slow"])
        assert await longest_waiting(Inspection(room.redis)) is None, "nobody waits behind it"
        first = await room.enqueue(
            {"label": "head"}, {"label": "b"}, {"label": "c"}, delivery="d1", project="p1"
        )
        await room.enqueue({"label": "later"}, delivery="d2", project="p0")
        found = await longest_waiting(Inspection(room.redis))
        assert found is not None
        assert (found.lane, found.waiting) == ("p1/probe", 2)
        assert (found.head.id, found.next.id) == (first.jobs[0].id, first.jobs[1].id)
        assert found.next.enqueued is not None
        gate.set()
        await room.until_ended(alone)
        await until_empty(room)
    assert await longest_waiting(Inspection(room.redis)) is None


async def test_parked_jobs_are_not_taken_for_a_lane_that_waits(room: Room) -> None:
    """However many lie before it, the first that waits behind another is found."""
    await room.redis.zadd("imbi:holds", {"plugin:x": "inf"})
    await room.redis.hset("imbi:hold:plugin:x", mapping={"kind": "pause", "reason": "r"})
    for number in range(1_200):
        await room.enqueue({"label": "p"}, delivery=f"d{number}", project=f"p{number}")
    ids = [key.decode() for key in await room.redis.zrange("imbi:queue", 0, -1)]
    for id_ in ids:
        await room.redis.hset(f"imbi:job:{id_}", mapping={"state": "parked", "hold": "plugin:x"})
        seq = int(await room.redis.hget(f"imbi:job:{id_}", "seq") or 0)
        await room.redis.zadd("imbi:parked:plugin:x", {id_: seq})
        await room.redis.zadd("imbi:queue", {id_: 4102444800000 + seq})
    first = await room.enqueue({"label": "a"}, {"label": "b"}, delivery="last", project="last")
    found = await longest_waiting(Inspection(room.redis))
    assert found is not None
    assert (found.lane, found.next.id) == ("last/probe", first.jobs[1].id)
