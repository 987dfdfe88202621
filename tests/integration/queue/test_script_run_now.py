"""run_now.lua: a waiting job runs now, but never against its lane's order or through a hold."""

import pytest
from desk import ACTOR, Desk

from imbi_sdk.queue import keys, without_lane
from imbi_worker.queue.control import Mandate

GH = {"github": "gh-1"}


async def test_a_retrying_job_runs_now(desk: Desk) -> None:
    """A worker is woken for it; the attempts it has used stay counted."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "retry")
    await desk.redis.delete(keys.WAKE)
    assert (await desk.run_now(job)).verdict == "due"
    assert await desk.tokens() == 1
    claimed = await desk.claim_one()
    assert (claimed.id, claimed.number) == (job, 2)


async def test_a_deferred_job_runs_now_and_has_waited_less(desk: Desk) -> None:
    """The wait was added to the held time in advance; what is saved is taken off again."""
    job = await desk.job()
    until = await desk.now() + 600_000
    await desk.end(await desk.claim_one(), "deferred", counts=False, reason="away", wait_ms=until)
    assert (await desk.run_now(job)).verdict == "due"
    claimed = await desk.claim_one()
    assert claimed.held.total_seconds() < 60
    assert claimed.deferred_since is not None


async def test_run_now_is_audited(desk: Desk) -> None:
    """Who, which job and why."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "retry")
    await desk.run_now(job)
    (entry,) = await desk.audit()
    assert entry.pop("at").isdigit()
    assert entry == {
        "verb": "run now",
        "scope": f"job:{job}",
        "count": "1",
        "actor": ACTOR,
        "reason": "maintenance",
    }


async def test_a_job_behind_another_of_its_lane_is_not_pulled_forward(desk: Desk) -> None:
    """It says which job it waits for; order is never broken."""
    first, second, third = await desk.line(3)
    await desk.end(await desk.claim_one(), "retry")
    for job in (second, third):
        before = await desk.everything()
        found = await desk.run_now(job)
        assert (found.verdict, found.detail) == ("behind", first)
        assert await desk.everything() == before


@pytest.mark.parametrize("scope", ["queue", "plugin:gh-1", "handler:github#sync"])
@pytest.mark.parametrize("is_parked", [True, False])
async def test_a_hold_is_not_passed_by(desk: Desk, scope: str, *, is_parked: bool) -> None:
    """Whether the job lies parked under it or has not come up yet."""
    job = await desk.job(plugin_ids=GH)
    await desk.end(await desk.claim_one(), "retry")
    await desk.pause(scope)
    if is_parked:
        await desk.make_due(job)
        await desk.claim()
    before = await desk.everything()
    found = await desk.run_now(job)
    assert (found.verdict, found.detail) == ("held", scope)
    assert await desk.everything() == before


async def test_what_is_due_runs_or_has_ended_is_told_and_left_alone(desk: Desk) -> None:
    """Nothing is written or audited for it."""
    desk.lane = without_lane
    done, running, due = await desk.jobs(3)
    by_id = {job.id: job for job in (await desk.claim()).jobs}
    await desk.succeed(by_id[done])
    await desk.end(by_id[due], "released", counts=False)
    before = await desk.everything()
    found = [await desk.run_now(job) for job in (done, running, due, "nobody")]
    assert [one.verdict for one in found] == ["ended", "running", "already due", "missing"]
    assert found[0].detail == "succeeded"
    assert await desk.everything() == before


async def test_a_score_that_a_stock_client_set_back_is_not_believed(desk: Desk) -> None:
    """A job that looks due and is not is made due."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "retry")
    await desk.redis.zadd(keys.QUEUE, {job: 1})
    assert (await desk.run_now(job)).verdict == "due"
    assert await desk.claimed_ids() == [job]


async def test_a_stock_clients_deferred_job_runs_now(desk: Desk) -> None:
    """Before any worker has taken it in."""
    await desk.redis.set(f"{keys.BODY}stranger", b"{}", ex=60)
    await desk.redis.zadd(keys.QUEUE, {"stranger": await desk.now() + 600_000})
    assert (await desk.run_now("stranger")).verdict == "due"
    assert [job for job, _ in (await desk.claim()).strangers] == ["stranger"]
    assert (await desk.run_now("stranger")).verdict == "due"
    await desk.redis.zrem(keys.QUEUE, "stranger")


async def test_looking_only_says_the_same_and_writes_nothing(desk: Desk) -> None:
    """What would be due."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "retry")
    before = await desk.everything()
    look = Mandate(ACTOR, "only looking", looks_only=True)
    (found,) = await desk.control.run_now([job], look, scope="test")
    assert found.verdict == "due"
    assert await desk.everything() == before
