"""cancel.lua: jobs in any state are cancelled, their lanes go on, and the audit knows why."""

import asyncio

import pytest
from arq.connections import ArqRedis
from desk import ACTOR, MANDATE, Desk
from pydantic import SecretStr

from factories import make_keywords
from imbi_sdk.queue import keys, without_lane
from imbi_worker.queue.arq_pool import connect
from imbi_worker.queue.control import AT_ONCE, Mandate
from imbi_worker.queue.intake import Adopter, Intake

GH = {"github": "gh-1"}
BY = f"{ACTOR}: maintenance"


async def marks(desk: Desk) -> int:
    return int(await desk.redis.zcard(keys.ABORT))


async def test_a_waiting_job_is_cancelled_at_once(desk: Desk) -> None:
    """Reported as skipped; body and event are gone; its result revives as a cancel."""
    job = await desk.job()
    assert await desk.cancel(job) == ["cancelled"]
    facts = await desk.hash(job)
    assert (facts["state"], facts["reason"], facts["cancelled_by"]) == (
        "cancelled",
        "cancelled",
        BY,
    )
    assert isinstance((await desk.result(job))["r"], asyncio.CancelledError)
    assert (await desk.outcomes())[-1]["status"] == "skipped"
    assert await desk.redis.exists(f"{keys.BODY}{job}") == 0
    assert await desk.events() == 0
    assert await desk.claimed_ids() == []


async def test_a_retrying_job_is_cancelled_and_its_lane_goes_on(desk: Desk) -> None:
    """The next one is due and a worker is woken, without a claim in between."""
    first, second = await desk.line(2)
    await desk.end(await desk.claim_one(), "retry")
    await desk.redis.delete(keys.WAKE)
    assert await desk.cancel(first) == ["cancelled"]
    assert await desk.due() == {second}
    assert await desk.tokens() == 1


async def test_a_parked_job_is_cancelled_and_leaves_its_hold(desk: Desk) -> None:
    """The next of its lane comes up, and is parked in its turn."""
    first, second = await desk.line(2, plugin_ids=GH)
    await desk.pause("plugin:gh-1")
    await desk.claim()
    assert await desk.cancel(first) == ["cancelled"]
    assert await desk.parked("plugin:gh-1") == []
    assert await desk.claimed_ids() == []
    assert await desk.parked("plugin:gh-1") == [second]


async def test_a_job_in_the_middle_of_its_lane_is_taken_out(desk: Desk) -> None:
    """The others keep their order."""
    first, second, third = await desk.line(3)
    assert await desk.cancel(second) == ["cancelled"]
    claimed = await desk.claim_one()
    assert claimed.id == first
    await desk.succeed(claimed)
    assert await desk.claimed_ids() == [third]


async def test_the_worker_of_a_running_job_is_told_until_it_has_ended(desk: Desk) -> None:
    """The job runs on until then; the mark goes with its end."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    assert await desk.cancel(job) == ["asked"]
    assert await desk.state(job) == "running"
    assert (await desk.hash(job))["cancelled_by"] == BY
    assert (await desk.claim("w1")).aborts == (job,)
    assert await desk.cancel(job) == ["asked"]
    await desk.end(claimed, "cancelled", counts=False, reason="cancelled", status="skipped")
    assert await marks(desk) == 0
    assert (await desk.hash(job))["error"] == (await desk.outcomes())[-1]["error"] == BY


async def test_a_job_that_ends_well_before_it_is_told_stays_as_it_ended(desk: Desk) -> None:
    """A cancel that comes too late changes nothing, and leaves no mark for a later job."""
    job = await desk.job()
    claimed = await desk.claim_one()
    await desk.cancel(job)
    await desk.succeed(claimed)
    assert await desk.state(job) == "succeeded"
    assert await marks(desk) == 0


@pytest.mark.parametrize("is_told_before", [True, False])
async def test_a_job_whose_worker_is_gone_is_cancelled(desk: Desk, *, is_told_before: bool) -> None:
    """At once when its lease is over; else with the first claim after that."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    if is_told_before:
        assert await desk.cancel(job) == ["asked"]
    await desk.crash(job)
    if not is_told_before:
        assert await desk.cancel(job) == ["cancelled"]
    assert await desk.claimed_ids("w2") == []
    assert await desk.state(job) == "cancelled"
    assert await desk.renew(claimed) == [0]
    assert await desk.end(claimed, "succeeded") == "lost"


async def test_a_retry_between_the_cancel_and_its_telling_does_not_save_a_job(desk: Desk) -> None:
    """The attempt failed before its worker was told: it does not run again."""
    job = await desk.job()
    claimed = await desk.claim_one()
    await desk.cancel(job)
    await desk.end(claimed, "retry")
    await desk.claim()
    assert await desk.state(job) == "cancelled"


@pytest.mark.parametrize("kind", ["succeeded", "skipped", "dead", "cancelled"])
async def test_a_job_that_has_ended_is_not_cancelled(desk: Desk, kind: str) -> None:
    """It says how it ended; nothing is written or audited."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), kind)  # type: ignore[arg-type]  # one of its kinds
    before = await desk.everything()
    (found,) = await desk.control.cancel([job], MANDATE, scope="test")
    assert (found.verdict, found.detail) == ("ended", kind)
    assert await desk.cancel("nobody") == ["missing"]
    assert await desk.everything() == before


async def test_a_stock_clients_job_is_cancelled_once_it_is_taken_in(
    desk: Desk, redis_url: str
) -> None:
    """Even when it was deferred for an hour."""
    arq: ArqRedis = connect(SecretStr(redis_url), queue=keys.QUEUE)
    job = await arq.enqueue_job("github#sync", _defer_by=3600, **make_keywords())
    await arq.aclose()
    assert job is not None
    assert await desk.cancel(job.job_id) == ["asked"]
    ((id_, body),) = (await desk.claim()).strangers
    intake = Intake(signer=None, accepts_unsigned=True)
    assert await Adopter(desk.redis, intake, queue=keys.QUEUE).adopt(id_, body) == "adopted"
    assert await desk.claimed_ids() == []
    assert await desk.state(job.job_id) == "cancelled"


async def test_a_cancelled_job_comes_back_with_a_redelivery(desk: Desk) -> None:
    """As a new run that nobody has cancelled."""
    job = await desk.job()
    await desk.cancel(job)
    await desk.enqueue()
    assert (await desk.claim_one()).id == job
    assert "cancelled_by" not in await desk.hash(job)


async def test_many_are_cancelled_in_one_step_with_one_entry_in_the_audit(desk: Desk) -> None:
    """Whole lanes, in any order; each job has its own outcome."""
    jobs = await desk.line(4)
    other = await desk.job("sonar#scan", delivery="other")
    assert await desk.cancel(*reversed(jobs), "nobody") == ["cancelled"] * 4 + ["missing"]
    assert [await desk.state(job) for job in jobs] == ["cancelled"] * 4
    assert await desk.due() == {other}
    (entry,) = await desk.audit()
    assert entry.pop("at").isdigit()
    assert entry == {
        "verb": "cancel",
        "scope": "test",
        "count": "4",
        "actor": ACTOR,
        "reason": "maintenance",
    }
    assert len(await desk.outcomes()) == 4


async def test_actions_that_ignore_their_cancel_keep_none_from_being_told(desk: Desk) -> None:
    """Their marks stay, and those of others are told as well."""
    desk.lane = without_lane
    jobs = await desk.jobs(150)
    stubborn = jobs[:149]
    await desk.claim(jobs=200)
    await desk.cancel(*stubborn)
    assert sorted((await desk.claim()).aborts) == sorted(stubborn)
    await desk.cancel(jobs[-1])
    assert jobs[-1] in (await desk.claim()).aborts


async def test_looking_only_says_the_same_and_writes_nothing(desk: Desk) -> None:
    """What would be cancelled, and what would be asked for."""
    waiting = await desk.job(delivery="d-1")
    running = await desk.job("sonar#scan", delivery="d-2")
    await desk.claim(jobs=1)
    before = await desk.everything()
    look = Mandate(ACTOR, "only looking", looks_only=True)
    found = await desk.control.cancel([waiting, running, "nobody"], look, scope="test")
    assert sorted(one.verdict for one in found) == ["asked", "cancelled", "missing"]
    assert await desk.everything() == before


async def test_a_call_is_bounded(desk: Desk) -> None:
    """A script that takes long keeps every worker waiting: the caller goes in steps."""
    with pytest.raises(ValueError, match="at most 500"):
        await desk.control.cancel(["x"] * (AT_ONCE + 1), MANDATE, scope="test")


async def test_a_full_redis_still_cancels(own_desk: Desk) -> None:
    """It frees more than it stores."""
    job = await own_desk.job(event={"type": "push", "payload": {"padding": "x" * 4096}})
    await own_desk.command("CONFIG", "SET", "maxmemory", "1")
    assert await own_desk.cancel(job) == ["cancelled"]
    await own_desk.command("CONFIG", "SET", "maxmemory", "0")
    assert await own_desk.state(job) == "cancelled"
