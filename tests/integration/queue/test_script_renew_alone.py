"""renew.lua and alone.lua: leases that go on, and the note that a job begins alone."""

from desk import LEASE, Desk

from imbi_sdk.queue import keys

LEASE_MS = int(LEASE.total_seconds() * 1000)


async def test_one_call_renews_all_leases_of_a_worker(desk: Desk) -> None:
    """Hash, score and mirror move together."""
    await desk.jobs(3)
    jobs = (await desk.claim()).jobs
    for job in jobs:
        await desk.crash(job.id)
        await desk.redis.delete(f"{keys.IN_PROGRESS}{job.id}")
    assert await desk.renew(*jobs) == [1, 1, 1]
    for job in jobs:
        until = int((await desk.hash(job.id))["lease_until"])
        assert LEASE_MS - 2000 < until - await desk.now() <= LEASE_MS
        assert await desk.score(job.id) == until
        assert await desk.redis.get(f"{keys.IN_PROGRESS}{job.id}") == b"w1"
        assert 0 < await desk.redis.pttl(f"{keys.IN_PROGRESS}{job.id}") <= LEASE_MS


async def test_a_late_renewal_is_accepted_as_long_as_nobody_has_claimed(desk: Desk) -> None:
    """After it nobody else is handed the job."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    assert await desk.renew(claimed) == [1]
    assert await desk.claimed_ids("w2") == []


async def test_a_renewal_after_another_claim_is_lost_and_changes_nothing(desk: Desk) -> None:
    """The worker learns that it lost the job, and stops the action."""
    first, _ = await desk.jobs(2)
    claims = (await desk.claim("w1")).jobs
    lost = next(job for job in claims if job.id == first)
    kept = next(job for job in claims if job.id != first)
    await desk.crash(first)
    await desk.claim_one("w2")
    before = await desk.hash(first)
    assert await desk.renew(lost, kept) == [0, 1]
    assert await desk.hash(first) == before


async def test_a_renewal_after_the_end_is_lost(desk: Desk) -> None:
    """It does not bring the job back into the queue."""
    job = await desk.job()
    claimed = await desk.claim_one()
    await desk.succeed(claimed)
    before = await desk.everything()
    assert await desk.renew(claimed) == [0]
    assert await desk.everything() == before
    assert await desk.score(job) is None


async def test_a_renewal_takes_back_what_was_parked_meanwhile(desk: Desk) -> None:
    """It runs, so it is not among the parked; the hold itself stays."""
    job = await desk.job(plugin_ids={"github": "gh-1"})
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    await desk.pause("plugin:gh-1")
    await desk.claim("w2")
    assert await desk.renew(claimed) == [1]
    assert await desk.state(job) == "running"
    assert await desk.parked("plugin:gh-1") == []
    assert await desk.redis.zscore(keys.HOLDS, "plugin:gh-1") is not None


async def test_nothing_to_renew_is_no_error(desk: Desk) -> None:
    """An empty call has an empty reply."""
    assert await desk.renew() == []


async def test_who_begins_alone_is_noted_only_for_its_holder(desk: Desk) -> None:
    """A stale token notes nothing."""
    job = await desk.job()
    stale = await desk.claim_one("w1")
    await desk.crash(job)
    fresh = await desk.claim_one("w2")
    assert await desk.note_alone(stale) == 0
    assert "alone" not in await desk.hash(job)
    assert await desk.note_alone(fresh) == 1
    assert (await desk.hash(job))["alone"] == "1"


async def test_the_note_does_not_outlive_its_run(desk: Desk) -> None:
    """A later run in company that crashes is not taken for one alone."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.note_alone(claimed)
    await desk.end(claimed, "retry", wait_ms=0)
    await desk.make_due(job)
    await desk.claim_one("w2")
    await desk.crash(job)
    assert (await desk.claim_one("w3")).crashes == 1


async def test_the_note_does_not_outlive_an_abandoned_run_either(desk: Desk) -> None:
    """Its timeout was counted, so its worker's death is no crash; the next run is in company."""
    job = await desk.job()
    for worker in ("w1", "w2"):
        await desk.claim_one(worker)
        await desk.crash(job)
    claimed = await desk.claim_one("w3")
    await desk.note_alone(claimed)
    await desk.end(claimed, "abandoned")
    await desk.crash(job)
    await desk.claim_one("w4")
    await desk.crash(job)
    assert (await desk.claim_one("w5")).crashes == 3
