"""Who has lost a job changes nothing of it, whatever becomes of his own run."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.typing import EventDict

from chaos.proxy import Proxy
from imbi_sdk.errors import PermanentError, UpstreamError
from imbi_sdk.queue import Enqueued
from integration.engine.room import Room
from integration.guarantees.puppets import STAGE
from waiting import until

LEASE = timedelta(seconds=1)


async def succeed() -> None:
    """The late end of an action that went well."""


async def fail() -> None:
    raise UpstreamError("answered 503")


async def fail_for_good() -> None:
    raise PermanentError("no such release")


class Gates:
    """Two runs of one job: each goes on when its gate is opened."""

    def __init__(self, late: Callable[[], Awaitable[None]]) -> None:
        self._late = late
        self.first = asyncio.Event()
        self.second = asyncio.Event()

    async def play(self, run: int) -> None:
        if run == 1:
            await self.first.wait()
            await self._late()
        else:
            await self.second.wait()


async def until_replaced(room: Room, job: str) -> dict[str, str]:
    """The job, once its second run has begun."""
    await until(lambda: STAGE.of("start") == ["a", "a"])
    return await room.job(job)


@pytest.mark.parametrize("late", [succeed, fail, fail_for_good])
async def test_a_worker_that_was_replaced_writes_nothing_when_it_is_back(
    fragile: Room, bridge: Proxy, log: list[EventDict], late: Callable[[], Awaitable[None]]
) -> None:
    """Neither finishes, retries nor buries; the lane waits for the run that counts."""
    gates = Gates(late)
    STAGE.plays["a"] = gates.play
    enqueued = await fragile.enqueue({"label": "a"}, {"label": "b"})
    id_ = enqueued.jobs[0].id
    async with fragile.worker(url=bridge.url, lease=LEASE) as cut_off:
        await until(lambda: STAGE.of("start") == ["a"])
        await bridge.stop()
        async with fragile.worker(lease=LEASE):
            held = await until_replaced(fragile, id_)
            gates.first.set()
            await until(lambda: not cut_off._parts.finisher._empty.is_set())
            await bridge.start()
            await until(lambda: len(cut_off._parts.in_hand) == 0)
            job = await fragile.job(id_)
            assert (job["state"], job["token"]) == ("running", held["token"])
            assert job["attempts"] == "1"
            assert STAGE.of("start") == ["a", "a"]
            gates.second.set()
            first, second = await fragile.until_ended(enqueued)
    assert (first["state"], first["attempts"]) == ("succeeded", "2")
    assert second["state"] == "succeeded"
    assert await fragile.redis.zcard("imbi:dead") == 0
    assert [line["job_id"] for line in log if line["event"] == "job.lease_lost"] == [id_]


async def test_the_late_result_of_a_replaced_worker_is_recorded_as_stale(
    fragile: Room, bridge: Proxy
) -> None:
    """An operator reads what that run came to, beside the crash it was taken for."""
    gates = Gates(fail_for_good)
    STAGE.plays["a"] = gates.play
    enqueued = await fragile.enqueue({"label": "a"})
    id_ = enqueued.jobs[0].id
    async with fragile.worker(url=bridge.url, lease=LEASE) as cut_off:
        await until(lambda: STAGE.of("start") == ["a"])
        await bridge.stop()
        async with fragile.worker(lease=LEASE):
            await until_replaced(fragile, id_)
            gates.first.set()
            await until(lambda: not cut_off._parts.finisher._empty.is_set())
            await bridge.start()
            await until(lambda: len(cut_off._parts.in_hand) == 0)
            gates.second.set()
            [job] = await fragile.until_ended(enqueued)
        assert cut_off.endings == {"stale": 1}
    record = json.loads(job["attempt:1.1"])
    assert (record["outcome"], record["stale"]) == ("crashed", "dead")
    assert "no such release" in record["stale_error"]
    assert (job["state"], job["attempts"]) == ("succeeded", "2")


async def test_the_action_of_a_replaced_worker_is_cancelled(
    fragile: Room, bridge: Proxy, log: list[EventDict]
) -> None:
    """As soon as it hears that another has the job."""
    gates = Gates(succeed)
    STAGE.plays["a"] = gates.play
    enqueued = await fragile.enqueue({"label": "a"})
    async with fragile.worker(url=bridge.url, lease=LEASE) as cut_off:
        await until(lambda: STAGE.of("start") == ["a"])
        await bridge.stop()
        async with fragile.worker(lease=LEASE):
            await until_replaced(fragile, enqueued.jobs[0].id)
            await bridge.start()
            await until(lambda: STAGE.of("cancelled") == ["a"])
            assert cut_off.endings == {}
            gates.second.set()
            [job] = await fragile.until_ended(enqueued)
    assert job["state"] == "succeeded"
    assert STAGE.of("end") == ["a"]
    assert [line["event"] for line in log].count("job.lease_lost") == 1


async def end_late(room: Room, bridge: Proxy, enqueued: Enqueued, gates: Gates) -> Any:
    """Let the only worker's run end long after its lease, while it is cut off."""
    async with room.worker(url=bridge.url, lease=LEASE):
        await until(lambda: STAGE.of("start") == ["a"])
        await bridge.stop()
        id_ = enqueued.jobs[0].id

        async def is_over() -> bool:
            seconds, _ = await room.redis.time()
            return int(seconds) * 1000 > int((await room.job(id_))["lease_until"])

        await until(is_over)
        gates.first.set()
        await until(lambda: len(STAGE.seen) > 1)
        await bridge.start()
        return await room.until_ended(enqueued)


async def test_a_worker_that_nobody_replaced_finishes_late_and_is_accepted(
    fragile: Room, bridge: Proxy
) -> None:
    """It was cut off for longer than its lease; the run counts once and is not repeated."""
    gates = Gates(succeed)
    STAGE.plays["a"] = gates.play
    enqueued = await fragile.enqueue({"label": "a"}, {"label": "b"})
    first, second = await end_late(fragile, bridge, enqueued, gates)
    assert (first["state"], first["attempts"]) == ("succeeded", "1")
    assert "crashes" not in first
    assert second["state"] == "succeeded"
    assert STAGE.of("start") == ["a", "b"]


async def test_a_late_failure_that_nobody_replaced_is_accepted_too(
    fragile: Room, bridge: Proxy
) -> None:
    """Buried with its own reason, not as crashed."""
    gates = Gates(fail_for_good)
    STAGE.plays["a"] = gates.play
    enqueued = await fragile.enqueue({"label": "a"})
    [job] = await end_late(fragile, bridge, enqueued, gates)
    assert (job["state"], job["reason"], job["attempts"]) == ("dead", "permanent error", "1")
