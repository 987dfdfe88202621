"""Things far above the usual size: they run, within bounds, or are refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from acceptance.stage import Stage
from imbi_sdk.queue import EnqueueStatus, InvalidDelivery, JobContext, Target, WebhookRule
from integration.engine.room import Room
from integration.guarantees.puppets import STAGE
from waiting import until

MIB = 1024**2


def targets(count: int) -> list[Target]:
    return [
        Target(JobContext(project_id=f"p{n}", project_slug="p", org_slug="o")) for n in range(count)
    ]


async def deliver(room: Room, delivery: str, payload: Any, config: str = "{}", count: int = 1):
    return await room.queue.enqueue_delivery(
        delivery=delivery,
        webhook_id="w1",
        event={"type": "push", "metadata": {"headers": {}}, "payload": payload},
        rules=[WebhookRule(handler="probe#quiet", handler_config=config)],
        targets=targets(count),
    )


async def test_one_delivery_of_five_thousand_jobs(room: Room) -> None:
    """Fifty rules for each of a hundred projects; its event is stored once and goes at the end."""
    enqueued = await room.queue.enqueue_delivery(
        delivery="d1",
        webhook_id="w1",
        event={"type": "push", "metadata": {"headers": {}}, "payload": {"x": "y" * 10_000}},
        rules=[WebhookRule(handler="probe#quiet", ordinal=n) for n in range(50)],
        targets=targets(100),
    )
    assert (len(enqueued.jobs), enqueued.calls) == (5_000, 5)
    assert enqueued.count(EnqueueStatus.ACCEPTED) == 5_000
    assert await room.redis.hlen("imbi:event:d1") == 1
    async with room.worker():

        async def has_ended() -> bool:
            return await room.redis.hget("imbi:delivery:d1", "open") == b"0"

        await until(has_ended, within=60)
    states = await room.redis.hgetall("imbi:delivery:d1")
    ended = [state for field, state in states.items() if field.startswith(b"job:")]
    assert ended == [b"succeeded"] * 5_000
    assert await room.redis.exists("imbi:event:d1") == 0


async def test_bodies_of_25_megabytes_are_in_hand_one_at_a_time(room: Room) -> None:
    """A hundred slots are free, and one is taken: the parsed form is in the budget, too."""
    budget = 64 * MIB
    for number in range(8):
        await deliver(room, f"d{number}", {"blob": "x" * 25 * MIB, "number": number})
    most = [0, 0]
    async with room.worker(event_bytes=budget, concurrency=100) as engine:
        in_hand = engine._parts.in_hand

        async def have_ended() -> bool:
            most[0] = max(most[0], in_hand.budget.taken)
            most[1] = max(most[1], len(in_hand))
            return await room.redis.zcard("imbi:queue") == 0

        await until(have_ended, within=60)
    assert 25 * MIB < most[0] <= budget
    assert most[1] == 1
    assert int(await room.redis.hget("imbi:counters", "succeeded:probe#quiet") or 0) == 8


def resident(pid: int, *, is_most: bool = False) -> int:
    """The memory a process has, or the most it has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    name = "VmHWM:" if is_most else "VmRSS:"
    (line,) = [line for line in status.splitlines() if line.startswith(name)]
    return int(line.split()[1]) * 1024


async def test_the_memory_of_a_worker_process_stays_under_its_budget(stage: Stage) -> None:
    """Twice the body at the most, its bytes and its parsed form, and all of it goes back."""
    worker = await stage.worker(concurrency="100", event_bytes=str(64 * MIB))
    idle = resident(worker.pid, is_most=True)
    for number in range(8):
        await stage.queue.enqueue_delivery(
            delivery=f"d{number}",
            webhook_id="w1",
            event={
                "type": "push",
                "metadata": {"headers": {}},
                "payload": {"blob": "x" * 25 * MIB, "number": number},
            },
            rules=[WebhookRule(handler="demo#work", handler_config='{"label": "big"}')],
            targets=targets(1),
            plugin_ids={"demo": "plugin-1"},
        )
    await until(lambda: stage.work("big").count("end") == 8, within=60)
    assert resident(worker.pid, is_most=True) - idle < 64 * MIB
    await until(lambda: resident(worker.pid) - idle < 16 * MIB)


async def test_a_config_of_a_megabyte_runs(room: Room) -> None:
    """It is part of each job's body, and is validated like any other."""
    config = json.dumps({"padding": "x" * MIB})
    await deliver(room, "d1", {}, config=config, count=20)
    async with room.worker():

        async def have_ended() -> bool:
            return await room.redis.zcard("imbi:queue") == 0

        await until(have_ended, within=30)
    assert int(await room.redis.hget("imbi:counters", "succeeded:probe#quiet") or 0) == 20


def nested(levels: int) -> Any:
    inner: Any = "deep"
    for _ in range(levels):
        inner = [inner]
    return inner


@pytest.mark.parametrize("levels", [1_000, 100_000])
async def test_a_thousand_levels_of_json_are_refused_at_the_gateway(
    room: Room, levels: int
) -> None:
    """With the limit, and with nothing enqueued; the sender need not try again."""
    with pytest.raises(InvalidDelivery, match="deeper than 128 levels"):
        await deliver(room, "d1", nested(levels))
    assert await room.redis.keys("*") == []


def text_of(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("levels", [1_000, 100_000])
async def test_a_thousand_levels_that_somebody_wrote_into_redis_cost_one_dead_letter(
    room: Room, levels: int
) -> None:
    """As a stock client may: the job is buried with its reason, the others run."""
    deep = text_of(levels).encode()
    body = (
        b'{"t":null,"f":"probe#quiet","a":[],"k":{"v":1,"event":{"payload":' + deep + b'}},"et":1}'
    )
    await room.redis.set("arq:job:deep", body)
    await room.redis.zadd("imbi:queue", {"deep": 1})
    other = await room.enqueue({"label": "a"})
    async with room.worker(accepts_unsigned=True):
        await room.until_ended(other)

        async def is_dead() -> bool:
            return await room.state("deep") == "dead"

        await until(is_dead)
    job = await room.job("deep")
    assert job["reason"] == "invalid job"
    assert "deeper than" in job["error"]
    assert await room.redis.get("arq:job:deep") == body


@pytest.mark.parametrize("levels", [1_000, 100_000])
async def test_a_config_of_a_thousand_levels_is_a_dead_letter_and_no_more(
    room: Room, levels: int
) -> None:
    """The worker lives, and the next job of the lane runs."""
    deep = '{"label": ' + text_of(levels) + "}"
    enqueued = await room.queue.enqueue_delivery(
        delivery="d1",
        webhook_id="w1",
        event={"type": "push", "metadata": {"headers": {}}, "payload": {}},
        rules=[
            WebhookRule(handler="probe#act", ordinal=0, handler_config=deep),
            WebhookRule(handler="probe#act", ordinal=1, handler_config='{"label": "b"}'),
        ],
        targets=targets(1),
    )
    async with room.worker():
        first, second = await room.until_ended(enqueued)
    assert (first["state"], first["status"]) == ("dead", "skipped")
    assert second["state"] == "succeeded"
    assert STAGE.of("start") == ["b"]
