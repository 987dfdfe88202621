"""What the engine does with jobs while all is well with Redis."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from probe import JOURNAL
from room import Room

from imbi_sdk.attempt import Dead, DeathReason, Deferred, Verdict
from imbi_sdk.graph import PluginRecord, ServiceApplicationRecord
from imbi_worker.dispatch import Attempt, Terms
from imbi_worker.queue.inspection import Inspection
from waiting import until


async def test_an_accepted_rule_runs_and_succeeds(room: Room) -> None:
    enqueued = await room.enqueue({"label": "a"})
    async with room.worker():
        [job] = await room.until_ended(enqueued)
    assert job["state"] == "succeeded"
    assert job["attempts"] == "1"
    assert JOURNAL.lines == [("start", "a"), ("end", "a")]


async def test_rules_of_a_project_run_one_by_one_in_their_order(room: Room) -> None:
    """Deliveries too: nothing overtakes within a lane, and nothing overlaps."""
    first = await room.enqueue({"label": "1", "does": "sleep", "seconds": 0.05}, {"label": "2"})
    second = await room.enqueue({"label": "3"}, {"label": "4"}, delivery="d2")
    async with room.worker():
        await room.until_ended(first)
        await room.until_ended(second)
    assert JOURNAL.of("start") == ["1", "2", "3", "4"]
    assert JOURNAL.most_at_once["p1"] == 1


async def test_a_failing_head_keeps_its_lane_until_it_succeeds(room: Room) -> None:
    enqueued = await room.enqueue({"label": "a", "fails": 2}, {"label": "b"})
    async with room.worker():
        first, second = await room.until_ended(enqueued)
    assert (first["attempts"], second["attempts"]) == ("3", "1")
    assert JOURNAL.of("start") == ["a", "a", "a", "b"]


async def test_other_projects_do_not_wait_for_a_stuck_one(room: Room) -> None:
    stuck = await room.enqueue({"label": "stuck", "does": "wait"})
    free = await room.enqueue({"label": "free"}, delivery="d2", project="p2")
    async with room.worker():
        await room.until_ended(free)
        assert await room.state(stuck.jobs[0].id) == "running"
        JOURNAL.gate.set()
        await room.until_ended(stuck)


async def test_a_permanent_error_buries_the_job_and_frees_its_lane(room: Room) -> None:
    enqueued = await room.enqueue({"label": "a", "does": "permanent"}, {"label": "b"})
    async with room.worker():
        first, second = await room.until_ended(enqueued)
    assert (first["state"], first["reason"]) == ("dead", "permanent error")
    assert "no such release" in first["error"]
    assert second["state"] == "succeeded"
    assert await room.redis.zscore("imbi:dead", enqueued.jobs[0].id) is not None


async def test_a_skip_is_a_success_with_its_reason(room: Room) -> None:
    enqueued = await room.enqueue({"does": "skip"})
    async with room.worker():
        [job] = await room.until_ended(enqueued)
    assert (job["state"], job["reason"], job["status"]) == ("skipped", "nothing to do", "skipped")


async def test_sys_exit_in_an_action_is_a_failure_and_the_worker_lives(room: Room) -> None:
    enqueued = await room.enqueue({"label": "a", "does": "exit"})
    async with room.worker() as engine:
        await until(lambda: engine.endings.get("retry", 0) > 0)
        other = await room.enqueue({"label": "b"}, delivery="d2", project="p2")
        await room.until_ended(other)
    job = await room.job(enqueued.jobs[0].id)
    assert "SystemExit" in json.loads(job["attempt:1.1"])["error"]


async def test_a_hanging_action_is_timed_out_and_retried(room: Room) -> None:
    enqueued = await room.enqueue({"label": "a", "does": "wait"})
    async with room.worker(action_timeout=timedelta(seconds=0.1)) as engine:
        await until(lambda: engine.endings.get("retry", 0) > 0)
    record = json.loads((await room.job(enqueued.jobs[0].id))["attempt:1.1"])
    assert record["outcome"] == "timed out"


async def test_an_action_that_ignores_its_cancel_keeps_slot_and_lane_until_it_ends(
    room: Room,
) -> None:
    """Recorded as timed out at once; never run twice at the same time."""
    enqueued = await room.enqueue({"label": "a", "does": "swallow"}, {"label": "b"})
    id_ = enqueued.jobs[0].id
    async with room.worker(action_timeout=timedelta(seconds=0.1)) as engine:

        async def is_abandoned() -> bool:
            return (await room.job(id_)).get("abandoned") == "1"

        await until(is_abandoned)
        assert await room.state(id_) == "running"
        # Two leases later it is still ours: the watchdog goes on renewing.
        before = int((await room.job(id_))["lease_until"])

        async def is_renewed() -> bool:
            return int((await room.job(id_))["lease_until"]) > before + 1500

        await until(is_renewed)
        assert JOURNAL.of("start") == ["a"]
        assert len(engine._parts.in_hand) == 1
        JOURNAL.gate.set()
        first, _ = await room.until_ended(enqueued)
    assert JOURNAL.most_at_once["p1"] == 1
    assert first["attempts"] == "2"


async def test_an_action_that_blocks_the_loop_keeps_its_lease(room: Room) -> None:
    """It costs latency, not a second run: the watchdog thread renews meanwhile."""
    enqueued = await room.enqueue({"label": "a", "does": "block", "seconds": 2.5})
    async with room.worker():
        [job] = await room.until_ended(enqueued)
    assert JOURNAL.of("start") == ["a"]
    assert (job["state"], job["attempts"]) == ("succeeded", "1")


async def test_a_rate_limit_holds_the_integration_and_uses_no_attempt(room: Room) -> None:
    enqueued = await room.enqueue({"label": "a", "does": "rate limit", "seconds": 30})
    async with room.worker() as engine:
        await until(lambda: engine.endings.get("deferred", 0) > 0)
    job = await room.job(enqueued.jobs[0].id)
    assert (job["state"], job["attempts"]) == ("waiting", "0")
    assert int(job["not_before"]) > 0


async def test_drain_releases_what_does_not_end_and_costs_no_attempt(room: Room) -> None:
    enqueued = await room.enqueue({"label": "a", "does": "wait"})
    async with room.worker():
        await until(lambda: JOURNAL.of("start") == ["a"])
    job = await room.job(enqueued.jobs[0].id)
    assert (job["state"], job["attempts"]) == ("waiting", "0")
    JOURNAL.gate.set()
    async with room.worker():
        [job] = await room.until_ended(enqueued)
    assert (job["state"], job["attempts"]) == ("succeeded", "1")


async def test_a_released_run_of_a_non_idempotent_action_is_never_repeated(room: Room) -> None:
    """Its effect is unknown, so a person decides."""
    enqueued = await room.enqueue({"label": "a", "does": "wait"}, handler="probe#once")
    async with room.worker():
        await until(lambda: JOURNAL.of("start") == ["a"])
    async with room.worker():
        [job] = await room.until_ended(enqueued)
    assert (job["state"], job["reason"]) == ("dead", "outcome unknown")
    assert JOURNAL.of("start") == ["a"]


async def test_a_run_whose_action_was_not_yet_called_is_repeated_whatever_it_is(
    room: Room,
) -> None:
    """The graph gave no answer before the drain was over: nothing has happened."""
    is_asked = asyncio.Event()

    class Silent:
        async def plugin(self, plugin_id: str) -> PluginRecord | None:
            is_asked.set()
            await asyncio.Event().wait()
            raise AssertionError(plugin_id)

        async def service_application(self, plugin_id: str) -> ServiceApplicationRecord | None:
            raise AssertionError(plugin_id)

    enqueued = await room.enqueue({"label": "a"}, handler="probe#once", plugin_id="i1")
    async with room.worker(graph=Silent()):
        await is_asked.wait()
    job = await room.job(enqueued.jobs[0].id)
    assert (job["state"], job["attempts"]) == ("waiting", "0")
    assert not job.get("unknown")
    assert JOURNAL.of("start") == []


async def test_a_redelivery_is_dropped_and_a_dead_job_is_revived(room: Room) -> None:
    enqueued = await room.enqueue({"label": "a"}, {"label": "b", "does": "permanent"})
    async with room.worker():
        await room.until_ended(enqueued)
        again = await room.enqueue({"label": "a"}, {"label": "b"})
        assert [job.status for job in again.jobs] == ["duplicate", "revived"]
        _, second = await room.until_ended(again)
    assert (second["state"], second["run"]) == ("succeeded", "2")
    assert JOURNAL.of("start") == ["a", "b", "b"]


async def test_an_event_above_the_budget_runs_and_leaves_room_for_small_ones(room: Room) -> None:
    """A long action on a large body holds up nobody."""
    big = await room.enqueue({"label": "big", "does": "wait"}, payload={"blob": "x" * 20_000})
    async with room.worker(event_bytes=10_000):
        await until(lambda: JOURNAL.of("start") == ["big"])
        small = await room.enqueue({"label": "small"}, delivery="d2", project="p2")
        await room.until_ended(small)
        JOURNAL.gate.set()
        await room.until_ended(big)
    assert JOURNAL.of("end") == ["small", "big"]


async def test_an_idle_worker_wakes_at_once(room: Room) -> None:
    async with room.worker() as engine:
        await until(lambda: engine.is_connected)
        loop = asyncio.get_running_loop()
        taken = []
        for number in range(5):
            begun = loop.time()
            await room.enqueue({"label": str(number)}, delivery=f"d{number}")
            await until(lambda n=number: len(JOURNAL.of("end")) > n)
            taken.append(loop.time() - begun)
    assert min(taken) < 0.5


async def test_an_error_that_no_text_can_hold_is_told_all_the_same(room: Room) -> None:
    """A lone surrogate is no UTF-8: Redis takes none, and the job must end nevertheless."""
    enqueued = await room.enqueue({"does": "unwritable"}, {"label": "next"})
    async with room.worker():
        first, second = await room.until_ended(enqueued)
    assert (first["state"], second["state"]) == ("dead", "succeeded")
    assert "half a pair: \ufffd, and \x00" in first["error"]
    stored = await Inspection(room.redis).stored(enqueued.jobs[0].id)
    assert stored is not None
    assert stored.attempts[0].error == first["error"]


class Unwritable:
    """A dispatcher with a defect: its first verdict cannot be written down."""

    graph_down_until: datetime | None = None

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self.calls = 0

    def terms(self, handler: str) -> Terms:
        return Terms()

    async def run(self, attempt: Attempt) -> Verdict:
        self.calls += 1
        known = Verdict(Dead(DeathReason.PERMANENT_ERROR, "known"), timedelta())
        return self._verdict if self.calls == 1 else known


async def test_a_defect_of_the_workers_own_loses_no_job(room: Room) -> None:
    """It is a failed attempt, and the job runs again."""
    dispatcher = Unwritable(Verdict(Dead(DeathReason.PERMANENT_ERROR, "\ud800"), timedelta()))
    enqueued = await room.enqueue({})
    async with room.worker(dispatcher=dispatcher):
        await until(lambda: dispatcher.calls == 1)

        async def has_failed() -> bool:
            return "in the worker itself" in (await room.job(enqueued.jobs[0].id)).get("error", "")

        await until(has_failed)
    job = await room.job(enqueued.jobs[0].id)
    assert (job["state"], job["attempts"]) == ("waiting", "1")


async def test_no_text_keeps_other_endings_from_being_written(room: Room) -> None:
    """Whoever made it: what Redis cannot hold is replaced at the last gate."""
    verdict = Verdict(Deferred(datetime.now(UTC) + timedelta(hours=1), "half: \ud83d", None))
    await room.enqueue({"label": "a"})
    async with room.worker(dispatcher=Unwritable(verdict)):
        other = await room.enqueue({"label": "b"}, delivery="d2", project="p2")
        [job] = await room.until_ended(other)
    assert (job["state"], job["error"]) == ("dead", "known")
