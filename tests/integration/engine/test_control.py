"""An operator's hand on jobs of a live worker: cancel, pause, run now, from another connection."""

from datetime import timedelta

from probe import JOURNAL
from room import Room

from imbi_sdk.queue import Enqueued, keys
from imbi_worker.queue import Engine
from imbi_worker.queue.control import Control, Mandate
from waiting import until

# With full jitter a wait may be shorter, but hardly as short as a test.
LONG = timedelta(hours=10)
ANN = Mandate("ann@example.org", "wrong branch")


def control(room: Room) -> Control:
    return Control(room.redis, queue=keys.QUEUE)


async def until_started(*labels: str) -> None:
    async def all_have() -> bool:
        return set(labels) <= set(JOURNAL.of("start"))

    await until(all_have)


async def until_in_state(room: Room, enqueued: Enqueued, state: str) -> None:
    async def is_there() -> bool:
        return await room.state(enqueued.jobs[0].id) == state

    await until(is_there)


async def until_retrying(worker: Engine) -> None:
    """Until a failed attempt has been written down."""

    async def is_written() -> bool:
        return worker.endings.get("retry", 0) > 0

    await until(is_written)


async def cancel(room: Room, enqueued: Enqueued) -> list[str]:
    jobs = [job.id for job in enqueued.jobs]
    return [one.verdict for one in await control(room).cancel(jobs, ANN, scope="test")]


async def test_a_running_action_is_cancelled_and_its_lane_goes_on(room: Room) -> None:
    """Its worker hears of it within a claim; the next job of the lane begins."""
    first = await room.enqueue({"label": "a", "does": "wait"}, delivery="d1")
    second = await room.enqueue({"label": "b"}, delivery="d2")
    async with room.worker():
        await until_started("a")
        assert await cancel(room, first) == ["asked"]
        (ended,) = await room.until_ended(first)
        (following,) = await room.until_ended(second)
    assert ended["state"] == "cancelled"
    assert ended["cancelled_by"] == "ann@example.org: wrong branch"
    assert following["state"] == "succeeded"
    assert JOURNAL.of("end") == ["b"]


async def test_a_full_worker_hears_of_a_cancel_too(room: Room) -> None:
    """It claims nothing, and asks nevertheless."""
    running = await room.enqueue({"label": "a", "does": "wait"})
    async with room.worker(concurrency=1):
        await until_started("a")
        await cancel(room, running)
        (ended,) = await room.until_ended(running)
    assert ended["state"] == "cancelled"


async def test_a_parked_job_is_cancelled_without_its_worker(room: Room) -> None:
    """At once; it never begins."""
    await control(room).hold("queue", None, ANN)
    job = await room.enqueue({"label": "a"})
    async with room.worker():
        await until_in_state(room, job, "parked")
        await cancel(room, job)
        assert await room.state(job.jobs[0].id) == "cancelled"
    assert JOURNAL.of("start") == []


async def test_a_retrying_job_is_cancelled_without_its_worker(room: Room) -> None:
    """At once; its next attempt never begins."""
    job = await room.enqueue({"label": "a", "fails": 1})
    async with room.worker(backoff=LONG) as worker:
        await until_retrying(worker)
        await cancel(room, job)
        assert await room.state(job.jobs[0].id) == "cancelled"
    assert JOURNAL.of("start") == ["a"]


async def test_a_pause_lets_run_what_runs_and_begins_nothing(room: Room) -> None:
    """Until it is removed, when idle workers are woken for what waited."""
    running = await room.enqueue({"label": "a", "does": "wait"}, delivery="d1")
    async with room.worker():
        await until_started("a")
        await control(room).hold("queue", None, ANN)
        waiting = await room.enqueue({"label": "b"}, delivery="d2", project="p2")
        await until_in_state(room, waiting, "parked")
        JOURNAL.gate.set()
        await room.until_ended(running)
        assert JOURNAL.of("start") == ["a"]
        await control(room).unhold("queue", ANN)
        (ended,) = await room.until_ended(waiting)
    assert ended["state"] == "succeeded"


async def test_run_now_wakes_an_idle_worker_for_a_retry(room: Room) -> None:
    """Long before its time."""
    job = await room.enqueue({"label": "a", "fails": 1})
    async with room.worker(backoff=LONG) as worker:
        await until_retrying(worker)
        (found,) = await control(room).run_now([job.jobs[0].id], ANN, scope="test")
        assert found.verdict == "due"
        (ended,) = await room.until_ended(job)
    assert (ended["state"], ended["attempts"]) == ("succeeded", "2")
