"""holds.lua, through claim and finish: rate limits and pauses stop, and order comes back."""

import pytest
from desk import Desk

from imbi_sdk.queue import keys, without_lane

GH = {"github": "gh-1"}
SCOPE = "plugin:gh-1"


async def limited(desk: Desk, jobs: int, *, seconds: float = 60) -> list[str]:
    """Laneless jobs of one integration, in order; a claim finds them, the first was told 429."""
    desk.lane = without_lane
    ids = await desk.jobs(jobs, plugin_ids=GH)
    for place, job in enumerate(ids):
        await desk.redis.zadd(keys.QUEUE, {job: place + 1})
    await desk.rate_limit(await desk.claim_one(jobs=1), SCOPE, seconds=seconds)
    return ids


async def test_a_rate_limit_parks_the_job_and_costs_no_attempt(desk: Desk) -> None:
    """The whole integration rests until then; the job is first among the parked."""
    (job,) = await limited(desk, 1)
    facts = await desk.hash(job)
    assert (facts["state"], facts["hold"], facts["attempts"]) == ("parked", SCOPE, "0")
    assert await desk.is_far(job)
    hold = await desk.facts(f"{keys.HOLD}{SCOPE}")
    assert (hold["kind"], hold["reason"], hold["actor"]) == ("rate_limit", "429", "w1")
    assert await desk.redis.zscore(keys.HOLDS, SCOPE) == int(hold["until"])


async def test_jobs_under_a_hold_are_parked_when_they_come_up(desk: Desk) -> None:
    """Looked at once, then out of the way of all others."""
    jobs = await limited(desk, 4)
    other = await desk.job("sonar#scan", delivery="delivery-2")
    assert await desk.claimed_ids() == [other]
    assert await desk.parked(SCOPE) == jobs
    assert await desk.due() == set()


async def test_parked_jobs_are_still_deferred_for_readers_and_in_their_lane(desk: Desk) -> None:
    """The lane behind a parked head waits with it."""
    first, second = await desk.line(2, plugin_ids=GH)
    await desk.rate_limit(await desk.claim_one(), SCOPE)
    assert await desk.is_far(first)
    assert await desk.is_far(second)
    assert await desk.parked(SCOPE) == [first]
    await desk.end_hold(SCOPE)
    claimed = await desk.claim_one()
    assert claimed.id == first
    await desk.succeed(claimed)
    assert await desk.claimed_ids() == [second]


async def test_a_rate_limit_ends_half_open_one_two_four_eight(desk: Desk) -> None:
    """In the order they were enqueued, every five seconds, until none is parked."""
    jobs = await limited(desk, 20)
    assert await desk.claimed_ids() == []
    seen: list[str] = []
    for expected in (1, 2, 4, 8, 5):
        await desk.end_hold(SCOPE)
        before = await desk.now()
        claimed = (await desk.claim()).jobs
        assert len(claimed) == expected
        seen += [job.id for job in claimed]
        if len(seen) < len(jobs):
            again = await desk.redis.zscore(keys.HOLDS, SCOPE)
            assert again is not None
            assert 4000 < again - before <= 6000
        for job in claimed:
            await desk.succeed(job)
    assert _in_steps(seen, (1, 2, 4, 8, 5)) == _in_steps(jobs, (1, 2, 4, 8, 5))
    assert await desk.redis.zcard(keys.HOLDS) == 0
    assert await desk.redis.exists(f"{keys.HOLD}{SCOPE}", f"{keys.PARKED}{SCOPE}") == 0


async def test_new_jobs_queue_up_behind_the_parked_while_half_open(desk: Desk) -> None:
    """They do not slip through the opening."""
    jobs = await limited(desk, 3)
    await desk.claim()
    late = await desk.job(delivery="late", projects=["p-9"], plugin_ids=GH)
    await desk.end_hold(SCOPE)
    assert await desk.claimed_ids() == [jobs[0]]
    assert await desk.parked(SCOPE) == [*jobs[1:], late]


async def test_a_rate_limit_while_half_open_begins_anew(desk: Desk) -> None:
    """One job at a time again."""
    jobs = await limited(desk, 6)
    await desk.claim()
    await desk.end_hold(SCOPE)
    await desk.claim_one()
    await desk.end_hold(SCOPE)
    claimed = (await desk.claim()).jobs
    assert len(claimed) == 2
    for job in claimed:
        await desk.rate_limit(job, SCOPE)
    await desk.end_hold(SCOPE)
    assert await desk.claimed_ids() == [jobs[1]]


async def test_the_longest_of_several_answers_stands(desk: Desk) -> None:
    """Ten running jobs are told 429; a shorter answer that comes later does not open early."""
    desk.lane = without_lane
    await desk.jobs(3, plugin_ids=GH)
    one, two, three = (await desk.claim()).jobs
    await desk.rate_limit(one, SCOPE, seconds=60)
    await desk.rate_limit(two, SCOPE, seconds=600)
    ends = await desk.redis.zscore(keys.HOLDS, SCOPE)
    await desk.rate_limit(three, SCOPE, seconds=30)
    assert await desk.redis.zscore(keys.HOLDS, SCOPE) == ends
    assert ends is not None
    assert ends > await desk.now() + 500_000
    assert len(await desk.parked(SCOPE)) == 3


async def test_a_rate_limit_does_not_end_an_operators_pause(desk: Desk) -> None:
    """A job that ran when the pause was set may be told 429; the pause stays without an end."""
    desk.lane = without_lane
    await desk.jobs(1, plugin_ids=GH)
    claimed = await desk.claim_one()
    await desk.pause(SCOPE)
    await desk.rate_limit(claimed, SCOPE)
    assert await desk.redis.zscore(keys.HOLDS, SCOPE) == float("inf")
    assert (await desk.facts(f"{keys.HOLD}{SCOPE}"))["kind"] == "operator"


async def test_held_time_is_added_up(desk: Desk) -> None:
    """max_age excludes it."""
    (job,) = await limited(desk, 1)
    ago = await desk.now() - 120_000
    await desk.write(job, held_since=str(ago))
    await desk.end_hold(SCOPE)
    claimed = await desk.claim_one()
    assert 119 < claimed.held.total_seconds() < 130
    assert claimed.deferred_since is not None


@pytest.mark.parametrize("scope", ["queue", SCOPE, "handler:github#sync"])
async def test_a_pause_stops_its_scope_until_it_ends(desk: Desk, scope: str) -> None:
    """The queue, an integration or a handler; then all come back at once, in order."""
    desk.lane = without_lane
    jobs = await desk.jobs(5, plugin_ids=GH)
    await desk.pause(scope)
    assert await desk.claimed_ids() == []
    assert await desk.parked(scope) == jobs
    await desk.end_hold(scope)
    assert set(await desk.claimed_ids()) == set(jobs)
    await desk.claim()
    assert await desk.redis.zcard(keys.HOLDS) == 0


async def test_a_pause_lets_others_through(desk: Desk) -> None:
    """Another handler of the same integration, another integration of the same handler."""
    desk.lane = without_lane
    await desk.enqueue("github#held", "github#free", plugin_ids=GH)
    await desk.pause("handler:github#held")
    await desk.pause("plugin:another")
    claimed = (await desk.claim()).jobs
    assert [(await desk.hash(job.id))["handler"] for job in claimed] == ["github#free"]


async def test_a_long_line_under_a_pause_comes_back_a_thousand_at_a_time(desk: Desk) -> None:
    """No script holds Redis for a hundred thousand of them; the claim says there is more."""
    desk.lane = without_lane
    await desk.enqueue(projects=[f"p-{n}" for n in range(1005)])
    await desk.pause("queue")
    while (await desk.claim()).left:
        pass
    assert await desk.redis.zcard(f"{keys.PARKED}queue") == 1005
    await desk.end_hold("queue")
    claim = await desk.claim(jobs=1)
    assert claim.left == "more"
    assert await desk.redis.zcard(f"{keys.PARKED}queue") == 5
    await desk.claim(jobs=1)
    assert await desk.redis.exists(f"{keys.PARKED}queue") == 0


async def test_a_parked_retry_starts_no_earlier_than_its_not_before(desk: Desk) -> None:
    """The end of a hold does not shorten a backoff."""
    desk.lane = without_lane
    (job,) = await desk.jobs(1, plugin_ids=GH)
    await desk.pause(SCOPE)
    await desk.claim()
    later = await desk.now() + 60_000
    await desk.write(job, not_before=str(later))
    await desk.end_hold(SCOPE)
    assert await desk.claimed_ids() == []
    assert await desk.score(job) == later


async def test_a_retry_while_the_hold_stands_is_parked_again(desk: Desk) -> None:
    """Its pass through the half-open hold was for one run."""
    jobs = await limited(desk, 3)
    await desk.claim()
    await desk.end_hold(SCOPE)
    claimed = await desk.claim_one()
    await desk.end(claimed, "retry", wait_ms=0)
    await desk.make_due(claimed.id)
    assert await desk.claimed_ids() == []
    assert await desk.parked(SCOPE) == jobs


async def test_a_crashed_run_has_used_up_its_pass_too(desk: Desk) -> None:
    """It does not run again while the hold stands, least of all when that has begun anew."""
    jobs = await limited(desk, 3)
    await desk.claim()
    await desk.end_hold(SCOPE)
    await desk.claim_one("w1")
    await desk.crash(jobs[0])
    assert await desk.claimed_ids("w2") == []
    assert await desk.parked(SCOPE) == jobs


async def test_the_end_of_a_hold_is_told_as_the_next_due_moment(desk: Desk) -> None:
    """So that an idle worker wakes for it."""
    await limited(desk, 1, seconds=3)
    claim = await desk.claim()
    assert 1 < (claim.next_due - claim.at).total_seconds() <= 3


async def test_the_end_of_a_hold_wakes_workers(desk: Desk) -> None:
    """The claim that ends it takes one job and passes a token on for the others."""
    desk.lane = without_lane
    await desk.jobs(8)
    await desk.pause("queue")
    await desk.claim()
    await desk.redis.delete(keys.WAKE)
    await desk.end_hold("queue")
    await desk.claim(jobs=1)
    assert await desk.tokens() == 1


def _in_steps(jobs: list[str], steps: tuple[int, ...]) -> list[set[str]]:
    """Within one step a claim may hand out in any order."""
    left = iter(jobs)
    return [{next(left) for _ in range(step)} for step in steps]
