"""hold.lua and unhold.lua: an operator stops and frees queue, integration or handler."""

from datetime import timedelta

import pytest
from desk import ACTOR, MANDATE, Desk

from imbi_sdk.queue import keys, without_lane
from imbi_worker.queue.control import Mandate

GH = {"github": "gh-1"}
SCOPE = "plugin:gh-1"
LOOK = Mandate(ACTOR, "only looking", looks_only=True)
SCOPES = ["queue", SCOPE, "handler:github#sync"]


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_hold_stops_its_scope_at_once_and_lets_go_by_hand(desk: Desk, scope: str) -> None:
    """What is due is parked when it comes up, and comes back without any worker's help."""
    desk.lane = without_lane
    jobs = await desk.jobs(5, plugin_ids=GH)
    held = await desk.hold(scope)
    assert (held.verdict, held.until, held.parked, held.before) == ("held", None, 0, None)
    assert await desk.claimed_ids() == []
    assert sorted(await desk.parked(scope)) == sorted(jobs)
    assert await desk.due() == set()
    done = await desk.unhold(scope)
    assert (done.verdict, done.given_back, done.left) == ("removed", 5, 0)
    assert await desk.due() == set(jobs)
    assert await desk.redis.exists(keys.HOLDS, f"{keys.HOLD}{scope}", f"{keys.PARKED}{scope}") == 0
    assert sorted(await desk.claimed_ids()) == sorted(jobs)


async def test_what_runs_goes_on_under_a_hold(desk: Desk) -> None:
    """It ends as it would have; only what would begin waits."""
    first, second = await desk.line(2)
    claimed = await desk.claim_one()
    await desk.hold("queue")
    assert await desk.renew(claimed) == [1]
    await desk.succeed(claimed)
    assert await desk.state(first) == "succeeded"
    assert await desk.claimed_ids() == []
    assert await desk.parked("queue") == [second]


async def test_a_hold_with_an_end_ends_by_itself(desk: Desk) -> None:
    """An idle worker is told when, and all of its jobs come back at once: it is no rate limit."""
    desk.lane = without_lane
    jobs = await desk.jobs(5)
    held = await desk.hold("queue", seconds=3)
    claim = await desk.claim()
    assert claim.jobs == ()
    assert held.until == claim.next_due
    assert timedelta(seconds=2) < claim.next_due - claim.at <= timedelta(seconds=3)
    await desk.end_hold("queue")
    assert sorted(await desk.claimed_ids()) == sorted(jobs)


async def test_the_hold_says_who_why_and_until_when(desk: Desk) -> None:
    """For `holds list`, and for each job under it."""
    await desk.hold("queue", seconds=60)
    facts = await desk.facts(f"{keys.HOLD}queue")
    assert (facts["kind"], facts["reason"], facts["actor"]) == ("operator", "maintenance", ACTOR)
    assert int(facts["until"]) - int(facts["since"]) == 60_000


async def test_holding_and_letting_go_are_audited(desk: Desk) -> None:
    """Who, which scope, how many jobs lay under it, why and when."""
    desk.lane = without_lane
    await desk.jobs(2)
    await desk.hold("queue", seconds=60)
    await desk.claim()
    await desk.unhold("queue")
    held, gone = await desk.audit()
    assert held.pop("at").isdigit()
    assert held.pop("until").isdigit()
    assert gone.pop("at").isdigit()
    who = {"scope": "queue", "actor": ACTOR, "reason": "maintenance"}
    assert held == {"verb": "hold", "count": "0", **who}
    assert gone == {"verb": "unhold", "count": "2", **who}


async def test_an_operator_may_change_a_hold_of_an_operator(desk: Desk) -> None:
    """Shorter, longer or without an end; it is told what stood before."""
    await desk.hold("queue")
    changed = await desk.hold("queue", seconds=60)
    assert changed.verdict == "changed"
    assert changed.before is not None
    assert (changed.before.actor, changed.before.until) == (ACTOR, None)
    ends = await desk.redis.zscore(keys.HOLDS, "queue")
    assert ends is not None
    assert 50_000 < ends - await desk.now() <= 60_000


async def test_a_rate_limit_is_not_shortened_by_a_hold(desk: Desk) -> None:
    """The service has said until when; nothing is written."""
    desk.lane = without_lane
    await desk.jobs(1, plugin_ids=GH)
    await desk.rate_limit(await desk.claim_one(), SCOPE, seconds=600)
    before = await desk.everything()
    refused = await desk.hold(SCOPE, seconds=60)
    assert refused.verdict == "longer"
    assert refused.before is not None
    assert (refused.before.kind, refused.before.reason) == ("rate_limit", "429")
    assert await desk.everything() == before


async def test_a_pause_outlasts_the_rate_limit_it_replaces(desk: Desk) -> None:
    """And ends when its operator says so, not half open."""
    desk.lane = without_lane
    jobs = await desk.jobs(5, plugin_ids=GH)
    await desk.rate_limit(await desk.claim_one(jobs=1), SCOPE)
    await desk.pause(SCOPE)
    assert await desk.claimed_ids() == []
    assert (await desk.unhold(SCOPE)).given_back == 5
    assert sorted(await desk.claimed_ids()) == sorted(jobs)


async def test_a_rate_limit_may_be_removed_by_hand(desk: Desk) -> None:
    """Who knows that the limit is gone need not wait for the ramp."""
    desk.lane = without_lane
    jobs = await desk.jobs(5, plugin_ids=GH)
    await desk.rate_limit(await desk.claim_one(jobs=1), SCOPE, seconds=600)
    await desk.claim()
    await desk.unhold(SCOPE)
    assert sorted(await desk.claimed_ids()) == sorted(jobs)


async def test_a_long_line_comes_back_in_order_a_thousand_at_a_time(desk: Desk) -> None:
    """Each call holds Redis for one thousand; the audit has one entry for all."""
    desk.lane = without_lane
    jobs = [j.id for j in (await desk.enqueue(projects=[f"p-{n}" for n in range(1005)])).jobs]
    await desk.pause("queue")
    while (await desk.claim()).left:
        pass
    assert await desk.parked("queue") == jobs
    first = await desk.unhold("queue")
    assert (first.verdict, first.given_back, first.left) == ("removed", 1000, 5)
    assert await desk.due() == set(jobs[:1000])
    second = await desk.unhold("queue", goes_on=True)
    assert (second.verdict, second.given_back, second.left) == ("going on", 5, 0)
    assert await desk.due() == set(jobs)
    assert [entry["verb"] for entry in await desk.audit()] == ["hold", "unhold"]
    assert (await desk.unhold("queue")).verdict == "missing"


async def test_who_lets_go_may_die_halfway(desk: Desk) -> None:
    """The next claim gives back the rest, and later jobs have queued up behind it meanwhile."""
    desk.lane = without_lane
    await desk.enqueue(projects=[f"p-{n}" for n in range(1005)])
    await desk.pause("queue")
    while (await desk.claim()).left:
        pass
    await desk.unhold("queue")
    await desk.claim(jobs=1)
    assert await desk.redis.exists(f"{keys.PARKED}queue", f"{keys.HOLD}queue") == 0


async def test_going_on_with_a_removal_spares_a_hold_set_since(desk: Desk) -> None:
    """Somebody else has paused again meanwhile: that is not what was to be removed."""
    desk.lane = without_lane
    await desk.enqueue(projects=[f"p-{n}" for n in range(1005)])
    await desk.pause("queue")
    while (await desk.claim()).left:
        pass
    await desk.unhold("queue")
    await desk.pause("queue")
    assert (await desk.unhold("queue", goes_on=True)).verdict == "missing"
    assert await desk.redis.zscore(keys.HOLDS, "queue") == float("inf")


async def test_a_way_through_one_hold_is_none_through_another(desk: Desk) -> None:
    """What a half-open rate limit lets through meets the pause of its handler."""
    desk.lane = without_lane
    await desk.jobs(3, plugin_ids=GH)
    await desk.rate_limit(await desk.claim_one(jobs=1), SCOPE)
    await desk.claim()
    await desk.pause("handler:github#sync")
    await desk.end_hold(SCOPE)
    assert await desk.claimed_ids() == []
    assert len(await desk.parked("handler:github#sync")) == 1
    assert len(await desk.parked(SCOPE)) == 2


@pytest.mark.parametrize("jobs", [3, 1005])
async def test_a_pause_right_after_a_resume_stops_what_came_back(desk: Desk, jobs: int) -> None:
    """What was given back and not claimed yet does not slip through the new one."""
    desk.lane = without_lane
    await desk.enqueue(projects=[f"p-{n}" for n in range(jobs)])
    await desk.pause("queue")
    while (await desk.claim()).left:
        pass
    await desk.unhold("queue")
    await desk.pause("queue")
    claim = await desk.claim()
    while claim.left:
        assert claim.jobs == ()
        claim = await desk.claim()
    assert claim.jobs == ()
    assert len(await desk.parked("queue")) == jobs


async def test_a_rate_limit_right_after_a_hold_stops_what_came_back(desk: Desk) -> None:
    """The first job to come back is told 429: the others need not be told the same."""
    desk.lane = without_lane
    jobs = await desk.jobs(5, plugin_ids=GH)
    await desk.pause(SCOPE)
    await desk.claim()
    await desk.unhold(SCOPE)
    await desk.rate_limit(await desk.claim_one(jobs=1), SCOPE)
    assert await desk.claimed_ids() == []
    assert sorted(await desk.parked(SCOPE)) == sorted(jobs)


async def test_a_half_open_hold_of_an_older_version_still_opens(desk: Desk) -> None:
    """It has no number that a pass could name."""
    desk.lane = without_lane
    jobs = await desk.jobs(5, plugin_ids=GH)
    await desk.rate_limit(await desk.claim_one(jobs=1), SCOPE)
    await desk.claim()
    await desk.command("HDEL", f"{keys.HOLD}{SCOPE}", "number")
    seen: list[str] = []
    for expected in (1, 2, 2):
        await desk.end_hold(SCOPE)
        claimed = (await desk.claim()).jobs
        assert len(claimed) == expected
        seen += [job.id for job in claimed]
    assert sorted(seen) == sorted(jobs)


async def test_giving_back_wakes_workers(desk: Desk) -> None:
    """They need not find out by themselves."""
    desk.lane = without_lane
    await desk.jobs(8)
    await desk.pause("queue")
    await desk.claim()
    await desk.redis.delete(keys.WAKE)
    await desk.unhold("queue")
    assert await desk.tokens() == 1


async def test_a_lane_goes_on_in_its_order_after_a_hold(desk: Desk) -> None:
    """Only its head was parked; the others kept waiting behind it."""
    jobs = await desk.line(3, plugin_ids=GH)
    await desk.pause(SCOPE)
    assert await desk.claimed_ids() == []
    assert await desk.parked(SCOPE) == jobs[:1]
    await desk.unhold(SCOPE)
    for job in jobs:
        claimed = await desk.claim_one()
        assert claimed.id == job
        await desk.succeed(claimed)


async def test_a_hold_that_is_not_there_cannot_be_removed(desk: Desk) -> None:
    """It says so, and nothing is written or audited."""
    await desk.job()
    before = await desk.everything()
    assert (await desk.unhold("queue")).verdict == "missing"
    assert await desk.everything() == before


@pytest.mark.parametrize("scope", SCOPES)
async def test_looking_only_writes_nothing(desk: Desk, scope: str) -> None:
    """Neither a hold nor its removal."""
    await desk.job(plugin_ids=GH)
    before = await desk.everything()
    assert (await desk.control.hold(scope, None, LOOK)).verdict == "would hold"
    assert await desk.everything() == before
    await desk.pause(scope)
    await desk.claim()
    before = await desk.everything()
    assert (await desk.control.hold(scope, None, LOOK)).verdict == "would change"
    looked = await desk.control.unhold(scope, LOOK)
    assert (looked.verdict, looked.given_back, looked.left) == ("would remove", 0, 1)
    assert await desk.everything() == before
    assert MANDATE.looks_only is False
