"""finish.lua: fenced endings, lanes that go on, attempts counted once."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from desk import MINUTE, PATIENCE, Desk, ending

from imbi_sdk.queue import ActionFailed, keys
from imbi_worker.queue.finishing import Ending, Kind

ENDS: tuple[Kind, ...] = ("succeeded", "skipped", "dead", "cancelled")
KINDS: tuple[Kind, ...] = (*ENDS, "retry", "deferred", "released", "abandoned")


async def end_as(desk: Desk, kind: Kind, **fields: Any) -> str:
    """Enqueue, claim and end one job as *kind*."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), kind, **fields)
    return job


# --- the kinds of end


@pytest.mark.parametrize("kind", ENDS)
async def test_an_end_leaves_queue_lane_and_lease(desk: Desk, kind: Kind) -> None:
    """Exactly one terminal state, and nothing of the running job is left."""
    job = await end_as(desk, kind)
    facts = await desk.hash(job)
    assert facts["state"] == kind
    assert not any(facts.get(name) for name in ("token", "hold", "abandoned", "counted"))
    assert await desk.score(job) is None
    assert await desk.redis.keys(f"{keys.LANE}*") == []
    assert await desk.redis.exists(f"{keys.IN_PROGRESS}{job}") == 0
    assert (await desk.delivery())[f"job:{job}"] == kind


@pytest.mark.parametrize("kind", ENDS)
async def test_only_a_dead_letter_keeps_its_body(desk: Desk, kind: Kind) -> None:
    """It can be replayed; of the others the facts stay for a day."""
    job = await end_as(desk, kind)
    is_dead = kind == "dead"
    assert await desk.redis.exists(f"{keys.BODY}{job}") == int(is_dead)
    assert (await desk.redis.ttl(f"{keys.JOB}{job}") == -1) is is_dead
    assert await desk.redis.zcard(keys.DEAD) == int(is_dead)


async def test_dead_letters_are_indexed_by_time_and_bytes(desk: Desk) -> None:
    """So that lists and limits need no scan."""
    job = await end_as(desk, "dead", reason="permanent error", error="HTTP 404", status="failed")
    size = await desk.weight(job)
    assert await desk.redis.get(keys.DEAD_BYTES) == str(size).encode()
    died = await desk.redis.zscore(keys.DEAD, job)
    assert died is not None
    assert abs(died - await desk.now()) < MINUTE
    facts = await desk.hash(job)
    assert (facts["reason"], facts["error"], facts["status"]) == (
        "permanent error",
        "HTTP 404",
        "failed",
    )


@pytest.mark.parametrize("kind", ENDS)
async def test_each_end_is_counted_by_handler(desk: Desk, kind: Kind) -> None:
    """One counter for each state and handler."""
    await end_as(desk, kind)
    assert await desk.counter(f"{kind}:github#sync") == 1


async def test_only_a_success_marks_the_integration_as_served(desk: Desk) -> None:
    """By plugin id, or by slug where there is none: the overtaken rule asks for it."""
    await desk.jobs(1, delivery="a", plugin_ids={"github": "gh-1"})
    await desk.succeed(await desk.claim_one())
    await desk.job("sonar#scan", delivery="b")
    await desk.succeed(await desk.claim_one())
    await desk.job("pagerduty#page", delivery="c")
    await desk.bury(await desk.claim_one())
    assert (await desk.facts("imbi:served")).keys() == {"gh-1", "sonar"}


async def test_every_end_is_an_outcome_with_imbis_and_our_fields(desk: Desk) -> None:
    """The consumer writes the gateway's activity row from it."""
    job = await end_as(
        desk, "dead", reason="permanent error", error="HTTP 404", status="failed", duration_ms="12"
    )
    (outcome,) = await desk.outcomes()
    assert outcome.pop("ended").isdigit()
    assert outcome == {
        "job": job,
        "handler": "github#sync",
        "project": "p-1",
        "delivery": "delivery-1",
        "state": "dead",
        "status": "failed",
        "reason": "permanent error",
        "error": "HTTP 404",
        "duration_ms": "12",
        "attempts": "1",
        "run": "1",
        "last": "1",
    }


async def test_the_last_open_job_of_each_project_says_so(desk: Desk) -> None:
    """Two rules for two projects: the second end of each project is its last, in any order."""
    desk.lane = lambda _project, _plugin: ""
    await desk.enqueue("github#a", "github#b", projects=["p-1", "p-2"])
    claimed = {
        (json.loads(j.body)["k"]["context"]["project_id"], json.loads(j.body)["f"]): j
        for j in (await desk.claim()).jobs
    }
    for key in (("p-1", "github#b"), ("p-2", "github#a"), ("p-1", "github#a"), ("p-2", "github#b")):
        await desk.succeed(claimed[key])
    assert [(o["project"], o["last"]) for o in await desk.outcomes()] == [
        ("p-1", "0"),
        ("p-2", "0"),
        ("p-1", "1"),
        ("p-2", "1"),
    ]


# --- the result for arq's readers


async def test_a_success_reads_as_success_with_ids_only(desk: Desk) -> None:
    """No arguments, no secrets: whose it was, when, and how many attempts; for a day."""
    job = await end_as(desk, "succeeded")
    result = await desk.result(job)
    assert result["s"] is True
    assert result["r"] is None
    assert (result["f"], result["a"], result["t"], result["q"], result["id"]) == (
        "github#sync",
        [],
        1,
        keys.QUEUE,
        job,
    )
    assert result["k"] == {"project_id": "p-1", "delivery": "delivery-1"}
    assert result["et"] <= result["st"] <= result["ft"]
    assert 0 < await desk.redis.pttl(f"{keys.RESULT}{job}") <= 86_400_000


async def test_a_skip_reads_as_success_with_its_reason(desk: Desk) -> None:
    """It is a success that did nothing."""
    job = await end_as(desk, "skipped", reason="no such branch", status="skipped")
    result = await desk.result(job)
    assert (result["s"], result["r"]) == (True, "skipped: no such branch")


async def test_a_dead_letter_revives_as_action_failed(desk: Desk) -> None:
    """Its text is the reason and the last error, whatever characters it holds."""
    error = 'HTTP 404: "gone"\n\\ \u2028 é \x01'
    job = await end_as(desk, "dead", reason="permanent error", error=error)
    result = await desk.result(job)
    assert result["s"] is False
    assert isinstance(result["r"], ActionFailed)
    assert str(result["r"]) == f"permanent error: {error}"


async def test_a_cancelled_job_revives_as_cancelled_error(desk: Desk) -> None:
    """That is what arq's Job.abort() waits for."""
    result = await desk.result(await end_as(desk, "cancelled", reason="cancelled"))
    assert isinstance(result["r"], asyncio.CancelledError)


# --- fencing


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_token_changes_nothing(desk: Desk, kind: Kind) -> None:
    """Whatever somebody who lost the job has to say about it."""
    await desk.line(2)
    claimed = await desk.claim_one("w1")
    stale = ending(claimed, kind, wait_ms=5000, record='{"n": 1}')
    await desk.crash(claimed.id)
    await desk.claim_one("w2")
    before = await desk.everything_but_notes(claimed.id)
    assert await desk.finish(stale) == ["stale"]
    assert await desk.everything_but_notes(claimed.id) == before


async def test_a_late_success_takes_the_place_of_the_crash_it_was_taken_for(desk: Desk) -> None:
    """A success leaves no record of its own, and there was no crash."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    await desk.pause("queue")
    await desk.claim("w2")
    assert "attempt:1.1" in await desk.hash(job)
    await desk.succeed(claimed)
    facts = await desk.hash(job)
    assert (facts["state"], facts["attempts"]) == ("succeeded", "1")
    assert "attempt:1.1" not in facts


@pytest.mark.parametrize("kind", KINDS)
async def test_a_late_word_that_counted_is_not_stale_when_it_is_repeated(
    desk: Desk, kind: Kind
) -> None:
    """Its run was taken for crashed, and then nobody else had it."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    await desk.pause("queue")
    assert await desk.claimed_ids("w2") == []
    late = ending(claimed, kind, wait_ms=5000, record='{"n": 1}')
    assert await desk.finish(late) == ["ok"]
    before = await desk.everything()
    assert await desk.finish(late) == ["ok" if kind == "abandoned" else "lost"]
    if kind != "abandoned":
        assert await desk.everything() == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_repeated_after_a_lost_reply_changes_nothing(desk: Desk, kind: Kind) -> None:
    """It finds its token gone, or its run counted."""
    await desk.line(2, plugin_ids={"github": "gh-1"})
    claimed = await desk.claim_one()
    fields: dict[str, Any] = {"wait_ms": MINUTE}
    if kind == "deferred":
        fields = {"wait_ms": await desk.now() + MINUTE, "hold": "plugin:gh-1"}
    entry = ending(claimed, kind, **fields)
    assert await desk.finish(entry) == ["ok"]
    before = await desk.everything()
    assert await desk.finish(entry) == ["ok" if kind == "abandoned" else "lost"]
    assert await desk.everything() == before


async def test_an_unknown_job_is_lost(desk: Desk) -> None:
    """Also with an empty token, which is what an unknown hash has."""
    await desk.redis.set("imbi:layout", keys.LAYOUT)
    assert await desk.finish(Ending("nobody", "", "succeeded")) == ["lost"]
    assert await desk.redis.dbsize() == 1


async def test_each_entry_of_a_call_has_its_own_reply(desk: Desk) -> None:
    """One lost job does not keep the others from being written."""
    await desk.jobs(3)
    one, two, three = (await desk.claim()).jobs
    await desk.succeed(two)
    replies = await desk.finish(*(ending(job, "succeeded") for job in (one, two, three)))
    assert replies == ["ok", "lost", "ok"]


async def test_a_late_finish_is_accepted_as_long_as_nobody_has_claimed(desk: Desk) -> None:
    """Its lease ran out while Redis was away; its work was done."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    await desk.succeed(claimed)
    assert await desk.state(job) == "succeeded"


@pytest.mark.parametrize("renews", [False, True])
async def test_a_crash_that_was_counted_is_not_counted_again_when_the_worker_is_late(
    desk: Desk, *, renews: bool
) -> None:
    """Found expired by a worker that could not take it: one run stays one attempt."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    other = Desk(desk.redis, slugs=("jira",))
    assert await other.claimed_ids("w2") == []
    assert (await desk.hash(job))["attempts"] == "1"
    if renews:
        assert await desk.renew(claimed) == [1]
    await desk.end(claimed, "retry", record='{"outcome": "retry"}')
    facts = await desk.hash(job)
    assert facts["attempts"] == "1"
    assert facts["attempt:1.1"] == '{"outcome": "retry"}'
    assert "attempt:1.2" not in facts


# --- lanes


@pytest.mark.parametrize("kind", ENDS)
async def test_the_lane_goes_on_at_every_kind_of_end(desk: Desk, kind: Kind) -> None:
    """I3: the next head is due at once, one worker is woken, and the third still waits."""
    _, second, third = await desk.line(3)
    claimed = await desk.claim_one()
    await desk.redis.delete(keys.WAKE)
    await desk.end(claimed, kind)
    assert await desk.is_due(second)
    assert await desk.is_far(third)
    assert await desk.tokens() == 1


@pytest.mark.parametrize("kind", ["retry", "deferred", "released", "abandoned"])
async def test_a_head_that_waits_keeps_its_lane(desk: Desk, kind: Kind) -> None:
    """I1: whatever it waits for, the second does not overtake it."""
    first, second = await desk.line(2)
    await desk.end(await desk.claim_one(), kind, wait_ms=await desk.now() + MINUTE)
    assert await desk.is_far(second)
    assert not await desk.is_far(first)
    assert await desk.redis.zrange(f"{keys.LANE}p-1/github", 0, 0) == [first.encode()]


async def test_the_next_head_comes_no_earlier_than_its_not_before(desk: Desk) -> None:
    """A replayed or revived waiter may have one."""
    first, second = await desk.line(2)
    not_before = await desk.now() + MINUTE
    await desk.write(second, not_before=str(not_before))
    claimed = await desk.claim_one()
    assert claimed.id == first
    await desk.succeed(claimed)
    assert await desk.score(second) == not_before


# --- retry


async def test_a_retry_counts_an_attempt_and_waits_its_delay(desk: Desk) -> None:
    """The next run has the next number; the mirror for arq's readers, too."""
    job = await desk.job()
    before = await desk.now()
    await desk.end(await desk.claim_one(), "retry", wait_ms=MINUTE, error="HTTP 503")
    facts = await desk.hash(job)
    assert (facts["state"], facts["attempts"], facts["error"]) == ("waiting", "1", "HTTP 503")
    assert before + MINUTE <= int(facts["not_before"]) <= await desk.now() + MINUTE
    assert await desk.score(job) == int(facts["not_before"])
    assert await desk.redis.get(f"arq:retry:{job}") == b"1"
    assert await desk.redis.ttl(f"{keys.BODY}{job}") == -1
    assert await desk.claimed_ids() == []
    await desk.make_due(job)
    again = await desk.claim_one()
    assert (again.number, again.crashes, again.after_unknown) == (2, 0, False)


async def test_the_first_failure_is_remembered_over_retries(desk: Desk) -> None:
    """max_age counts from it."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "retry", wait_ms=0)
    first = (await desk.hash(job))["first_failed"]
    await desk.make_due(job)
    claimed = await desk.claim_one()
    assert claimed.first_failed_at is not None
    assert int(claimed.first_failed_at.timestamp() * 1000) == int(first)
    await desk.end(claimed, "retry")
    assert (await desk.hash(job))["first_failed"] == first


async def test_attempt_records_stand_in_the_hash_by_run_and_number(desk: Desk) -> None:
    """The history of a job, read by `jobs show`."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "retry", wait_ms=0, record='{"n": 1}')
    await desk.make_due(job)
    await desk.end(await desk.claim_one(), "dead", record='{"n": 2}')
    facts = await desk.hash(job)
    assert (facts["attempt:1.1"], facts["attempt:1.2"]) == ('{"n": 1}', '{"n": 2}')


# --- patience


async def test_a_head_beyond_the_patience_is_overtaken_when_others_succeed(desk: Desk) -> None:
    """It is this job and not the service: buried, replayable, and the lane goes on."""
    first, second = await desk.line(2, plugin_ids={"github": "gh-1"})
    await desk.job(projects=["p-2"], delivery="x", plugin_ids={"github": "gh-1"})
    head, other = sorted((await desk.claim()).jobs, key=lambda job: job.id != first)
    await age_lane(desk, first, PATIENCE)
    await desk.succeed(other)
    assert await desk.end(head, "retry", error="HTTP 503") == "overtaken"
    facts = await desk.hash(first)
    assert (facts["state"], facts["reason"], facts["status"]) == ("dead", "overtaken", "failed")
    assert "HTTP 503" in facts["error"]
    assert facts["attempts"] == "1"
    assert await desk.is_due(second)


async def test_a_success_that_ends_in_the_same_call_proves_that_the_service_works(
    desk: Desk,
) -> None:
    """What is overtaken does not depend on which endings share a call."""
    first, _ = await desk.line(2)
    await desk.job(projects=["p-2"], delivery="x")
    head, other = sorted((await desk.claim()).jobs, key=lambda job: job.id != first)
    await age_lane(desk, first, PATIENCE)
    replies = await desk.finish(ending(other, "succeeded"), ending(head, "retry"))
    assert replies == ["ok", "overtaken"]


async def test_a_head_keeps_its_lane_while_the_whole_service_is_down(desk: Desk) -> None:
    """Nobody of its integration succeeded since it came to lead: the order is kept."""
    first, _ = await desk.line(2, plugin_ids={"github": "gh-1"})
    await desk.job("sonar#scan", delivery="x", plugin_ids={"sonar": "so-1"})
    head, other = sorted((await desk.claim()).jobs, key=lambda job: job.id != first)
    await age_lane(desk, first, PATIENCE)
    await desk.succeed(other)
    assert await desk.end(head, "retry") == "ok"


async def test_a_success_from_before_it_led_does_not_overtake_a_head(desk: Desk) -> None:
    """Only what succeeded since the lane last moved proves that the service works."""
    await desk.job(projects=["p-2"], delivery="x")
    await desk.succeed(await desk.claim_one())
    first, _ = await desk.line(2)
    head = await desk.claim_one()
    long_ago = int(PATIENCE / timedelta(milliseconds=1)) + MINUTE
    headed = await desk.now() - long_ago
    await desk.write(first, headed=str(headed))
    await desk.note("imbi:served", github=str(headed - 1))
    assert await desk.end(head, "retry") == "ok"


async def test_a_wait_within_the_patience_is_not_overtaken(desk: Desk) -> None:
    """Its next start must lie beyond: a minute's retry in a young lane is fine."""
    first, _ = await desk.line(2)
    await desk.job(projects=["p-2"], delivery="x")
    head, other = sorted((await desk.claim()).jobs, key=lambda job: job.id != first)
    await serve_after(desk, first, other)
    assert await desk.end(head, "retry", wait_ms=29 * MINUTE) == "ok"


async def test_a_long_delay_alone_is_beyond_the_patience(desk: Desk) -> None:
    """Judged when it begins to wait, by when it will start."""
    first, _ = await desk.line(2)
    await desk.job(projects=["p-2"], delivery="x")
    head, other = sorted((await desk.claim()).jobs, key=lambda job: job.id != first)
    await serve_after(desk, first, other)
    assert await desk.end(head, "retry", wait_ms=31 * MINUTE) == "overtaken"


async def test_a_deferral_beyond_the_patience_is_overtaken_with_its_reason(desk: Desk) -> None:
    """Also a wait that costs no attempt may not hold the lane."""
    first, second = await desk.line(2)
    await desk.job(projects=["p-2"], delivery="x")
    head, other = sorted((await desk.claim()).jobs, key=lambda job: job.id != first)
    await serve_after(desk, first, other)
    until = await desk.now() + 31 * MINUTE
    fields: dict[str, Any] = {"counts": False, "reason": "HTTP 429", "wait_ms": until}
    assert await desk.end(head, "deferred", **fields) == "overtaken"
    facts = await desk.hash(first)
    assert facts["error"].endswith("HTTP 429")
    assert facts["attempts"] == "0"
    assert await desk.is_due(second)


async def test_a_job_without_a_lane_is_never_overtaken(desk: Desk) -> None:
    """It holds up nobody."""
    desk.lane = lambda _project, _plugin: ""
    await desk.jobs(2)
    one, other = (await desk.claim()).jobs
    await desk.succeed(other)
    assert await desk.end(one, "retry", wait_ms=600 * MINUTE) == "ok"


async def test_patience_is_the_workers_setting(desk: Desk) -> None:
    """Given with each call."""
    first, _ = await desk.line(2)
    await desk.job(projects=["p-2"], delivery="x")
    head, other = sorted((await desk.claim()).jobs, key=lambda job: job.id != first)
    await serve_after(desk, first, other)
    reply = await desk.end(head, "retry", wait_ms=2000, patience=timedelta(seconds=1))
    assert reply == "overtaken"


# --- waits that cost nothing


async def test_a_deferral_costs_no_attempt_and_is_counted_as_held_time(desk: Desk) -> None:
    """max_age excludes it; deferral alone has a limit of its own, from its first moment."""
    job = await desk.job()
    until = await desk.now() + MINUTE
    fields: dict[str, Any] = {"counts": False, "reason": "graph away", "wait_ms": until}
    await desk.end(await desk.claim_one(), "deferred", **fields)
    facts = await desk.hash(job)
    assert (facts["state"], facts["attempts"], facts["not_before"]) == ("waiting", "0", str(until))
    assert MINUTE - 1000 < int(facts["held_ms"]) <= MINUTE
    await desk.make_due(job)
    claimed = await desk.claim_one()
    assert claimed.deferred_since is not None
    assert claimed.held > timedelta(seconds=50)
    await desk.end(claimed, "deferred", **fields)
    assert (await desk.hash(job))["deferred_since"] == facts["deferred_since"]


async def test_a_retry_ends_the_row_of_deferrals(desk: Desk) -> None:
    """The seven days count deferrals alone."""
    job = await desk.job()
    claimed = await desk.claim_one()
    await desk.end(claimed, "deferred", counts=False, reason="later", wait_ms=await desk.now())
    await desk.make_due(job)
    await desk.end(await desk.claim_one(), "retry", wait_ms=0)
    assert "deferred_since" not in await desk.hash(job)


async def test_a_released_job_is_as_if_never_claimed(desk: Desk) -> None:
    """A drain costs nothing: due at once, first in its lane, no attempt, effect known."""
    first, _ = await desk.line(2)
    await desk.end(await desk.claim_one("w1"), "released", counts=False)
    again = await desk.claim_one("w2")
    assert (again.id, again.number, again.crashes, again.after_unknown) == (first, 1, 0, False)


async def test_a_release_after_its_action_began_says_that_the_effect_is_unknown(
    desk: Desk,
) -> None:
    """An action that is not idempotent is then not run again by itself."""
    await desk.job()
    await desk.end(await desk.claim_one("w1"), "released", counts=False, status="begun")
    again = await desk.claim_one("w2")
    assert (again.number, again.after_unknown) == (1, True)


# --- abandoned


async def test_an_abandoned_attempt_is_counted_and_stays_leased(desk: Desk) -> None:
    """Slot and lane stay taken until it really ends."""
    first, second = await desk.line(2)
    claimed = await desk.claim_one("w1")
    await desk.end(claimed, "abandoned", record='{"outcome": "timed out"}')
    facts = await desk.hash(first)
    assert (facts["state"], facts["attempts"], facts["abandoned"]) == ("running", "1", "1")
    assert facts["attempt:1.1"] == '{"outcome": "timed out"}'
    assert facts["first_failed"]
    assert await desk.claimed_ids("w2") == []
    assert await desk.is_far(second)
    assert await desk.renew(claimed) == [1]


async def test_an_abandoned_attempt_that_ends_is_not_counted_again(desk: Desk) -> None:
    """The retry that follows is the one the timeout asked for."""
    job = await desk.job()
    claimed = await desk.claim_one()
    await desk.end(claimed, "abandoned", record='{"outcome": "timed out"}')
    await desk.end(claimed, "retry", counts=False)
    facts = await desk.hash(job)
    assert (facts["state"], facts["attempts"]) == ("waiting", "1")
    assert "abandoned" not in facts
    await desk.make_due(job)
    assert (await desk.claim_one()).number == 2


async def test_abandoning_a_job_that_was_parked_meanwhile_keeps_it_under_its_hold(
    desk: Desk,
) -> None:
    """Its lease had run out; the next renewal takes it back from there."""
    job = await desk.job(plugin_ids={"github": "gh-1"})
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    await desk.pause("plugin:gh-1")
    assert await desk.claimed_ids("w2") == []
    assert await desk.end(claimed, "abandoned") == "ok"
    assert await desk.parked("plugin:gh-1") == [job]
    assert (await desk.hash(job))["attempts"] == "1"
    assert await desk.renew(claimed) == [1]
    assert await desk.parked("plugin:gh-1") == []


@pytest.mark.parametrize("kind", [*ENDS, "retry", "deferred", "released"])
async def test_a_late_finish_of_a_parked_job_leaves_the_hold(desk: Desk, kind: Kind) -> None:
    """No id is left among the parked that is not parked."""
    job = await desk.job(plugin_ids={"github": "gh-1"})
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    await desk.pause("plugin:gh-1")
    assert await desk.claimed_ids("w2") == []
    assert await desk.end(claimed, kind, wait_ms=await desk.now()) == "ok"
    assert await desk.parked("plugin:gh-1") == []


async def age_lane(desk: Desk, head: str, age: timedelta) -> None:
    """As if *head* had come to lead that long ago, so that any wait is beyond the patience."""
    headed = await desk.now() - int(age / timedelta(milliseconds=1))
    await desk.write(head, headed=str(headed))


async def serve_after(desk: Desk, head: str, other: Any) -> None:
    """*other* succeeds after *head* came to lead, by a clock that only knows milliseconds."""
    await age_lane(desk, head, timedelta(seconds=1))
    await desk.succeed(other)


async def test_the_word_of_a_replaced_worker_is_noted_as_stale(desk: Desk) -> None:
    """Beside the crash it was taken for, however often it is said; the job is untouched."""
    job = await desk.job()
    first = await desk.claim_one("w1")
    await desk.crash(job)
    await desk.claim_one("w2")
    before = await desk.hash(job)
    said = {"reason": "permanent error", "error": "HTTP 404", "status": "failed"}
    for _ in range(2):
        assert await desk.end(first, "dead", **said) == "stale"
    after = await desk.hash(job)
    crash = json.loads(after.pop("attempt:1.1"))
    assert (crash["outcome"], crash["stale"], crash["stale_error"]) == (
        "crashed",
        "dead",
        "HTTP 404",
    )
    del before["attempt:1.1"]
    assert after == before


async def test_a_word_that_was_heard_is_not_stale_when_it_is_repeated(desk: Desk) -> None:
    """A retry whose reply was lost has no crash beside it, also when its job runs again."""
    job = await desk.job()
    first = await desk.claim_one("w1")
    record = json.dumps({"n": 1, "outcome": "retry", "worker": "w1"})
    assert await desk.end(first, "retry", record=record) == "ok"
    await desk.make_due(job)
    await desk.claim_one("w2")
    assert await desk.end(first, "retry", record=record) == "lost"
    assert "stale" not in (await desk.hash(job))["attempt:1.1"]
