"""claim.lua: who is handed what, and how everything else leaves the due range."""

import json
from typing import Any

import pytest
from desk import LEASE, MINUTE, Desk

from factories import make_event
from imbi_sdk.queue import keys, without_lane
from imbi_worker.queue.claims import Claim

LEASE_MS = int(LEASE.total_seconds() * 1000)
TWICE_CRASHED = {"crashes": "2", "attempts": "2", "started": "1"}


async def test_a_claimed_job_comes_with_its_body_event_and_a_fresh_lease(desk: Desk) -> None:
    """Everything an attempt needs, in one reply; the mirror for arq's readers, too."""
    job = await desk.job()
    claim = await desk.claim()
    (claimed,) = claim.jobs
    assert (claimed.id, claimed.number, claimed.run, claimed.crashes) == (job, 1, 1, 0)
    assert json.loads(claimed.body)["f"] == "github#sync"
    assert json.loads(claimed.event) == make_event()
    facts = await desk.hash(job)
    assert (facts["state"], facts["worker"], facts["token"]) == ("running", "w1", claimed.token)
    assert LEASE_MS - 2000 < int(facts["lease_until"]) - await desk.now() <= LEASE_MS
    assert await desk.score(job) == int(facts["lease_until"])
    assert await desk.redis.get(f"{keys.IN_PROGRESS}{job}") == b"w1"
    assert 0 < await desk.redis.pttl(f"{keys.IN_PROGRESS}{job}") <= LEASE_MS


async def test_an_event_shared_by_jobs_is_sent_once(desk: Desk) -> None:
    """Ten rules of one delivery do not multiply a large event in the reply."""
    jobs = await desk.jobs(3, event=make_event(size=10_000))
    claim = await desk.claim()
    assert {job.id for job in claim.jobs} == set(jobs)
    assert len({id(job.event) for job in claim.jobs}) == 1


async def test_no_more_jobs_than_wanted_are_handed_out_and_the_oldest_first(desk: Desk) -> None:
    """What is left is said, and is due for others."""
    jobs = await desk.jobs(5)
    for place, job in enumerate(jobs):
        await desk.redis.zadd(keys.QUEUE, {job: 1000 + place})
    claim = await desk.claim(jobs=2)
    assert [job.id for job in claim.jobs] == jobs[:2]
    assert claim.left == "more"
    assert await desk.claimed_ids("w2") == jobs[2:]


async def test_only_the_head_of_a_lane_is_handed_out(desk: Desk) -> None:
    """I1 and I2: the second waits until the first has ended, whoever asks."""
    first, second, third = await desk.line(3)
    claimed = await desk.claim_one("w1")
    assert claimed.id == first
    assert await desk.claimed_ids("w2") == []
    await desk.succeed(claimed)
    assert await desk.claimed_ids("w2") == [second]
    assert await desk.claimed_ids("w3") == []
    assert await desk.is_far(third)


async def test_a_waiter_made_due_by_a_stock_abort_goes_back_to_far(desk: Desk) -> None:
    """The score is only an index: a foreign score does not let it overtake."""
    first, second = await desk.line(2)
    await desk.redis.zadd(keys.QUEUE, {second: 1})
    assert await desk.claimed_ids() == [first]
    assert await desk.is_far(second)


async def test_a_live_lease_survives_a_score_reset(desk: Desk) -> None:
    """A stock abort() sets scores to 1; the running job is not run a second time."""
    job = await desk.job()
    await desk.claim_one("w1")
    await desk.redis.zadd(keys.QUEUE, {job: 1})
    assert await desk.claimed_ids("w2") == []
    facts = await desk.hash(job)
    assert await desk.score(job) == int(facts["lease_until"])
    assert (facts["attempts"], facts.get("crashes")) == ("0", None)


async def test_a_retry_does_not_start_early_after_a_score_reset(desk: Desk) -> None:
    """Its not_before stands in the hash and is restored."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "retry")
    not_before = int((await desk.hash(job))["not_before"])
    await desk.redis.zadd(keys.QUEUE, {job: 1})
    assert await desk.claimed_ids() == []
    assert await desk.score(job) == not_before


async def test_a_parked_job_stays_parked_after_a_score_reset(desk: Desk) -> None:
    """It neither runs nor leaves the queue: its score goes back to FAR."""
    job = await desk.job(plugin_ids={"github": "gh-1"})
    await desk.pause("plugin:gh-1")
    assert await desk.claimed_ids() == []
    await desk.redis.zadd(keys.QUEUE, {job: 1})
    assert await desk.claimed_ids() == []
    assert await desk.is_far(job)
    assert await desk.state(job) == "parked"


async def test_an_ended_job_that_somebody_put_into_the_queue_leaves_it(desk: Desk) -> None:
    """Nothing runs again because of a stray entry."""
    job = await desk.job()
    await desk.succeed(await desk.claim_one())
    await desk.redis.zadd(keys.QUEUE, {job: 1})
    assert await desk.claimed_ids() == []
    assert await desk.score(job) is None


async def test_a_lost_body_buries_the_job_and_its_lane_goes_on(torn: Desk) -> None:
    """Removed, counted, and the next head is handed out by the same claim."""
    first, second = await torn.line(2)
    await torn.redis.delete(f"{keys.BODY}{first}")
    assert await torn.claimed_ids() == [second]
    facts = await torn.hash(first)
    assert (facts["state"], facts["reason"]) == ("dead", "body lost")
    assert await torn.counter("repairs:body") == 1


async def test_an_entry_without_hash_and_body_is_removed(torn: Desk) -> None:
    """A ghost is looked at once."""
    await torn.redis.zadd(keys.QUEUE, {"ghost": 1})
    claim = await torn.claim()
    assert (claim.jobs, claim.strangers) == ((), ())
    assert await torn.score("ghost") is None


async def test_an_entry_with_a_body_and_no_hash_is_returned_as_a_stranger(torn: Desk) -> None:
    """It is handed over to be adopted, and comes by again in five seconds if that fails."""
    await torn.redis.set(f"{keys.BODY}stock", b"\x80 whatever", ex=60)
    await torn.redis.zadd(keys.QUEUE, {"stock": 1})
    assert (await torn.claim("w1")).strangers == (("stock", b"\x80 whatever"),)
    assert (await torn.claim("w2")).strangers == ()
    await torn.look_again()
    assert len((await torn.claim("w2")).strangers) == 1
    await torn.redis.delete(f"{keys.BODY}stock")


async def test_strangers_share_the_bytes_of_a_claim(torn: Desk) -> None:
    """A thousand large bodies of a stock client do not come in one reply; one always does."""
    for number in range(3):
        await torn.redis.set(f"{keys.BODY}stock-{number}", b"x" * 1000, ex=60)
        await torn.redis.zadd(keys.QUEUE, {f"stock-{number}": number + 1})
    claims = [await torn.claim(event_bytes=1500) for _ in range(3)]
    assert [[job for job, _ in claim.strangers] for claim in claims] == [
        ["stock-0"],
        ["stock-1"],
        ["stock-2"],
    ]
    assert [claim.left for claim in claims] == ["bytes", "bytes", ""]


@pytest.mark.parametrize("missing", ["lease_until", "seq", "attempts", "enqueued", "lane", "v"])
async def test_a_hash_that_lost_a_field_stops_no_claim(torn: Desk, missing: str) -> None:
    """An error in mid-script would keep every worker from every job."""
    broken = await torn.job(delivery="delivery-1", projects=["p-1"])
    await torn.claim_one("w1")
    await torn.crash(broken)
    await torn.command("HDEL", f"{keys.JOB}{broken}", missing)
    whole = await torn.job(delivery="delivery-2", projects=["p-2"])
    assert whole in await torn.claimed_ids("w2")


# --- no worker can run it


async def test_a_job_whose_plugin_is_not_here_is_put_off_for_others(desk: Desk) -> None:
    """Five seconds for this worker's kind; a worker that has the plugin is not kept from it."""
    job = await desk.job("jira#create")
    assert await desk.claimed_ids() == []
    score = await desk.score(job)
    assert score is not None
    assert 3000 < score - await desk.now() <= 5000
    await desk.look_again()
    desk.slugs = ("jira",)
    assert await desk.claimed_ids("w2") == [job]
    assert "unresolved" not in await desk.hash(job)


async def test_a_slug_that_only_begins_like_one_of_ours_is_not_ours(desk: Desk) -> None:
    """Slugs are compared whole."""
    await desk.jobs(1, delivery="a")
    desk.slugs = ("github-enterprise", "my-github")
    assert await desk.claimed_ids("w2") == []


async def test_without_any_capable_worker_a_job_dies_after_ten_minutes(desk: Desk) -> None:
    """Visible as a dead letter, reported as skipped; its lane goes on."""
    job = await desk.job("jira#create")
    after = await desk.job("jira#create", delivery="delivery-2")
    assert await desk.claimed_ids() == []
    long_ago = await desk.now() - 10 * MINUTE - 1
    await desk.write(job, unresolved=str(long_ago))
    await desk.look_again()
    assert await desk.claimed_ids() == []
    facts = await desk.hash(job)
    assert facts["state"] == "dead"
    assert facts["reason"] == "handler not resolvable"
    assert facts["status"] == "skipped"
    assert "jira" in facts["error"]
    assert not await desk.is_far(after)


async def test_a_capable_worker_seen_lately_keeps_the_job_alive(desk: Desk) -> None:
    """Ten minutes count from the last moment anybody had the plugin."""
    job = await desk.job("jira#create")
    await desk.claim()
    now = await desk.now()
    await desk.write(job, unresolved=str(now - 60 * MINUTE))
    await desk.note("imbi:slugs", jira=str(now - 9 * MINUTE))
    await desk.look_again()
    await desk.claim()
    assert await desk.state(job) == "waiting"
    await desk.note("imbi:slugs", jira=str(now - 11 * MINUTE))
    await desk.look_again()
    await desk.claim()
    assert await desk.state(job) == "dead"


async def test_a_newer_wire_version_waits_for_a_newer_worker(desk: Desk) -> None:
    """However long: it is no orphan and is not judged by an old worker."""
    job = await desk.job()
    await desk.write(job, v="2")
    for _ in range(2):
        assert await desk.claimed_ids() == []
        await desk.look_again()
    facts = await desk.hash(job)
    assert facts["state"] == "waiting"
    assert "unresolved" not in facts


async def test_while_the_graph_is_away_jobs_that_need_it_wait(desk: Desk) -> None:
    """They cost no attempt; a job without a plugin id runs meanwhile."""
    needing = await desk.job("github#sync", plugin_ids={"github": "gh-1"})
    free = await desk.job("sonar#scan", delivery="delivery-2")
    assert await desk.claimed_ids(graph_answers=False) == [free]
    assert (await desk.hash(needing))["attempts"] == "0"
    await desk.look_again()
    assert await desk.claimed_ids() == [needing]


# --- bytes


async def test_a_claim_stops_at_its_bytes_and_says_so(desk: Desk) -> None:
    """What does not fit stays due for a worker with more room."""
    desk.lane = without_lane
    small = await desk.job(delivery="a", event=make_event(size=100))
    large = await desk.job(delivery="b", event=make_event(size=5000))
    await desk.redis.zadd(keys.QUEUE, {small: 1, large: 2})
    claim = await desk.claim(event_bytes=3000)
    assert [job.id for job in claim.jobs] == [small]
    assert claim.left == "bytes"
    assert await desk.is_due(large)
    assert await desk.claimed_ids("w2") == [large]


async def test_the_first_job_may_be_of_any_size(desk: Desk) -> None:
    """Otherwise a job larger than the budget would never run; the worker says what room is left."""
    desk.lane = without_lane
    large = await desk.job(delivery="a", event=make_event(size=5000))
    small = await desk.job(delivery="b")
    await desk.redis.zadd(keys.QUEUE, {large: 1, small: 2})
    assert await desk.claimed_ids(event_bytes=10, takes_any=False) == []
    claim = await desk.claim(event_bytes=10, takes_any=True)
    assert [job.id for job in claim.jobs] == [large]
    assert claim.left == "more"
    assert await desk.claimed_ids(event_bytes=2_000, takes_any=False) == [small]


async def test_a_shared_event_counts_for_each_of_its_jobs(desk: Desk) -> None:
    """It is sent once, but each job parses a copy of its own."""
    await desk.jobs(10, event=make_event(size=10_000))
    claim = await desk.claim(event_bytes=25_000)
    assert (len(claim.jobs), claim.left) == (2, "bytes")
    assert claim.jobs[0].event is claim.jobs[1].event


# --- lost replies and lost workers


async def test_a_claim_repeated_with_its_number_returns_the_same_jobs(desk: Desk) -> None:
    """A lost reply loses nothing and costs no attempt."""
    await desk.jobs(5)
    first = await desk.claim(jobs=3)
    again = await desk.claim_again()
    assert _tokens(again) == _tokens(first)
    assert [job.body for job in again.jobs] == [job.body for job in first.jobs]
    assert [job.event for job in again.jobs] == [job.event for job in first.jobs]
    assert {job.attempts for job in again.jobs} == {0}


async def test_a_call_that_comes_after_a_later_claim_leases_nothing(desk: Desk) -> None:
    """It was given up, and nobody would renew what it leased."""
    late = desk.claim_arguments("w1")
    assert await desk.claimed_ids("w1") == []
    later = await desk.job(delivery="d1", projects=["p-1"])
    assert await desk.claimed_ids("w1") == [later]
    latest = await desk.job(delivery="d2", projects=["p-2"])
    assert (await desk.claim_late(late))[3] == []
    assert await desk.claimed_ids("w2") == [latest]


async def test_a_call_that_comes_after_its_repeat_leases_nothing(desk: Desk) -> None:
    """Not even where the repeat found nothing to claim."""
    late = desk.claim_arguments("w1")
    desk.claimer("w1")._is_unheard = True
    assert await desk.claimed_ids("w1") == []
    job = await desk.job()
    assert (await desk.claim_late(late))[3] == []
    assert await desk.claimed_ids("w2") == [job]


async def test_a_repeated_claim_renews_and_leaves_out_what_ended(desk: Desk) -> None:
    """Its leases begin anew; a job that another worker has claimed since is not in it."""
    first, second = await desk.jobs(2)
    await desk.claim("w1")
    await desk.crash(first)
    await desk.claim_one("w2")
    await desk.crash(second)
    again = await desk.claim_again("w1")
    assert [job.id for job in again.jobs] == [second]
    assert await desk.redis.exists(f"{keys.IN_PROGRESS}{second}") == 1
    score = await desk.score(second)
    assert score is not None
    assert score > await desk.now()


async def test_a_repeated_claim_finds_ids_that_hold_spaces(torn: Desk) -> None:
    """A stock client may call its jobs what it likes."""
    job = await torn.job()
    odd = "an id\nof two lines"
    for prefix in (keys.JOB, keys.BODY):
        await torn.redis.rename(f"{prefix}{job}", f"{prefix}{odd}")
    await torn.write(odd, lane="")
    await torn.redis.delete(keys.QUEUE)
    await torn.redis.zadd(keys.QUEUE, {odd: 1})
    first = await torn.claim()
    assert _tokens(await torn.claim_again()) == _tokens(first) != []


async def test_a_job_that_was_parked_meanwhile_is_not_parked_after_the_repeat(desk: Desk) -> None:
    """The repeated claim takes it out of its hold: it runs, and stands in one list only."""
    job = await desk.job(plugin_ids={"github": "gh-1"})
    await desk.claim_one("w1")
    await desk.crash(job)
    await desk.pause("plugin:gh-1")
    assert await desk.claimed_ids("w2") == []
    assert await desk.state(job) == "parked"
    assert [found.id for found in (await desk.claim_again("w1")).jobs] == [job]
    assert await desk.parked("plugin:gh-1") == []


async def test_the_run_of_a_worker_that_went_away_is_a_counted_crash(desk: Desk) -> None:
    """Counted when it is found, never at the claim; recorded with the worker that is gone."""
    job = await desk.job()
    await desk.claim_one("w1")
    assert (await desk.hash(job))["attempts"] == "0"
    await desk.crash(job)
    again = await desk.claim_one("w2")
    assert (again.id, again.attempts, again.crashes, again.after_unknown) == (job, 1, 1, True)
    assert again.first_failed_at is not None
    record = json.loads((await desk.hash(job))["attempt:1.1"])
    assert (record["outcome"], record["worker"]) == ("crashed", "w1")


async def test_after_two_crashes_a_job_must_run_alone(desk: Desk) -> None:
    """The next crash must tell whether it is the cause."""
    job = await desk.job()
    for crashes in range(3):
        claimed = await desk.claim_one(f"w{crashes}")
        assert claimed.must_run_alone is (crashes == 2)
        await desk.crash(job)


async def test_a_crash_alone_buries_the_job_as_a_poison_pill(desk: Desk) -> None:
    """It does not take a fourth worker with it; its lane goes on."""
    job = await desk.job()
    after = await desk.job(delivery="delivery-2")
    for worker in ("w1", "w2"):
        await desk.claim_one(worker)
        await desk.crash(job)
    claimed = await desk.claim_one("w3")
    assert await desk.note_alone(claimed) == 1
    await desk.crash(job)
    assert await desk.claimed_ids("w4") == [after]
    facts = await desk.hash(job)
    assert (facts["state"], facts["reason"], facts["attempts"]) == ("dead", "poison pill", "3")
    assert (await desk.outcomes())[-1]["reason"] == "poison pill"


async def test_a_crash_in_company_never_buries(desk: Desk) -> None:
    """Without the note that it began alone it may be the innocent neighbour, however often."""
    job = await desk.job()
    for crashes in range(6):
        assert (await desk.claim_one(f"w{crashes}")).crashes == crashes
        await desk.crash(job)
    assert await desk.state(job) == "running"


async def test_an_abandoned_attempt_is_not_counted_twice(desk: Desk) -> None:
    """Its timeout was counted; that its worker is gone now is no second attempt, nor a crash."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.end(claimed, "abandoned", error="timed out after 300 s")
    await desk.crash(job)
    again = await desk.claim_one("w2")
    assert (again.attempts, again.crashes, again.after_unknown) == (1, 0, True)


async def test_after_an_outage_expired_leases_are_spared_for_their_holders(desk: Desk) -> None:
    """The holder renews first; who spares, leaves the job for a second and counts nothing."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.crash(job)
    assert await desk.claimed_ids("w2", spares_expired=True) == []
    score = await desk.score(job)
    assert score is not None
    assert await desk.now() < score <= await desk.now() + 1000
    assert await desk.renew(claimed) == [1]
    assert (await desk.hash(job))["attempts"] == "0"


async def test_sparing_keeps_nobody_from_waiting_jobs(desk: Desk) -> None:
    """Only expired leases are left alone."""
    first, second = await desk.jobs(2)
    await desk.claim_one("w1", jobs=1)
    leased = first if await desk.state(first) == "running" else second
    await desk.crash(leased)
    assert await desk.claimed_ids("w2", spares_expired=True) == [
        second if leased == first else first
    ]


# --- the due range


async def test_every_due_id_that_cannot_run_leaves_the_due_range(torn: Desk) -> None:
    """Looked at once for each reason, so it hides nothing that can run."""
    await torn.enqueue(
        "jira#x", "github#held", "sonar#newer", plugin_ids={"github": "gh-1", "pagerduty": "pd-1"}
    )
    await torn.enqueue("pagerduty#page", delivery="d-2", plugin_ids={"pagerduty": "pd-1"})
    leased = await torn.job(delivery="d-3", projects=["p-3"])
    ended = await torn.job(delivery="d-4", projects=["p-4"])
    waiters = [await torn.job(delivery=f"d-{n}", projects=["p-3"]) for n in (5, 6)]
    for job in (await torn.claim("w0", graph_answers=False)).jobs:
        if job.id == ended:
            await torn.succeed(job)
        elif job.id != leased:
            await torn.end(job, "released", counts=False)
    newer = (await torn.enqueue("sonar#newer", delivery="d-7")).jobs[0].id
    await torn.write(newer, v="9")
    await torn.pause("handler:github#held")
    everything = await torn.redis.zrange(keys.QUEUE, 0, -1)
    await torn.redis.zadd(keys.QUEUE, dict.fromkeys([*everything, ended, "ghost"], 1))

    claim = await torn.claim("w1", graph_answers=False)

    assert not {leased, ended, newer, *waiters} & {job.id for job in claim.jobs}
    assert await torn.due() == set()
    assert claim.left == ""


async def test_a_thousand_that_cannot_run_hide_no_runnable_job_for_long(desk: Desk) -> None:
    """A claim looks at a thousand, says there is more, and the next one reaches the runnable."""
    desk.lane = without_lane
    await desk.enqueue("jira#x", projects=[f"p-{n}" for n in range(1000)])
    runnable = await desk.job("github#sync", delivery="delivery-2")
    everything = await desk.redis.zrange(keys.QUEUE, 0, -1)
    await desk.redis.zadd(keys.QUEUE, dict.fromkeys(everything, 1) | {runnable: 2})
    first = await desk.claim()
    assert (first.jobs, first.left) == ((), "more")
    assert await desk.claimed_ids() == [runnable]


async def test_a_claim_that_leaves_due_jobs_passes_a_token_on(desk: Desk) -> None:
    """One enqueue wakes one worker, and each one that cannot take all wakes the next."""
    await desk.jobs(3)
    await desk.redis.delete(keys.WAKE)
    await desk.claim("w1", jobs=2)
    assert await desk.tokens() == 1


async def test_a_claim_that_comes_back_at_once_passes_no_token_on(desk: Desk) -> None:
    """Who is woken takes few jobs first; for the others nobody else need wake."""
    await desk.jobs(3)
    await desk.redis.delete(keys.WAKE)
    assert (await desk.claim("w1", jobs=1, passes_on=False)).left == "more"
    assert await desk.tokens() == 0
    assert (await desk.claim("w2", event_bytes=1, takes_any=False, passes_on=False)).left == "bytes"
    assert await desk.tokens() == 1, "who has no bytes free does not come back at once"


async def test_a_claim_that_leaves_nothing_wakes_nobody(desk: Desk) -> None:
    """Idle workers go on sleeping, also when a token still lay there."""
    await desk.jobs(3)
    assert await desk.tokens() == 1
    await desk.claim()
    assert await desk.tokens() == 0


async def test_what_is_due_later_wakes_nobody(desk: Desk) -> None:
    """An idle worker sleeps until then by itself."""
    await desk.job()
    claimed = await desk.claim_one()
    assert await desk.end(claimed, "retry", wait_ms=MINUTE) == "ok"
    assert await desk.tokens() == 0


async def test_the_next_due_moment_is_told(desk: Desk) -> None:
    """So that an idle worker sleeps until then: a lease's end, a retry, or a hold's end."""
    await desk.job(plugin_ids={"github": "gh-1"})
    claim = await desk.claim()
    assert (claim.next_due - claim.at) == LEASE
    await desk.end(claim.jobs[0], "retry", wait_ms=3000)
    claim = await desk.claim()
    assert 2 < (claim.next_due - claim.at).total_seconds() <= 3


async def test_an_empty_queue_is_next_due_in_the_far_future(desk: Desk) -> None:
    """That is how a burst knows that it is done."""
    claim = await desk.claim()
    assert claim.next_due.timestamp() * 1000 >= keys.FAR
    assert (claim.jobs, claim.left) == ((), "")


async def test_another_layout_refuses_every_worker_script(desk: Desk) -> None:
    """Claim, renew, finish, replay and the rest say both numbers and change nothing."""
    job = await desk.job()
    claimed = await desk.claim_one()
    await desk.redis.set("imbi:layout", "7")
    before = await desk.everything()
    calls: list[Any] = [
        desk.claim,
        lambda: desk.renew(claimed),
        lambda: desk.end(claimed, "succeeded"),
        lambda: desk.note_alone(claimed),
        lambda: desk.replay(job),
        desk.tidy,
    ]
    for call in calls:
        with pytest.raises(Exception, match=r"LAYOUT.*layout 7.*layout 1"):
            await call()
    assert await desk.everything() == before


def _tokens(claim: Claim) -> list[tuple[str, str]]:
    return [(job.id, job.token) for job in claim.jobs]


async def test_a_call_that_lay_about_while_redis_stood_still_takes_no_job_for_crashed(
    desk: Desk,
) -> None:
    """Redis wakes with every lease over by its clock, and runs such calls first."""
    job = await desk.job()
    await desk.claim()
    assert await desk.claimed_ids("w2") == []
    await desk.crash(job)
    at, seen = desk.claimer("w2")._clocks or (0, 0.0)
    desk.claimer("w2")._clocks = (at - 6_000, seen)
    assert await desk.claimed_ids("w2") == []
    assert await desk.state(job) == "running"
    # The next call is a fresh one, and nobody has renewed.
    await desk.crash(job)
    assert await desk.claimed_ids("w2") == [job]


async def test_a_job_comes_with_how_long_it_could_have_run(desk: Desk) -> None:
    """From the moment it was due; a score that somebody set back counts from the enqueue."""
    ripe, set_back, odd = await desk.jobs(3)
    for job in (ripe, set_back, odd):
        await desk.write(job, enqueued=await desk.now() - 60_000)
    scores = {ripe: await desk.now() - 5_000.5, set_back: 0, odd: float("-inf")}
    await desk.redis.zadd(keys.QUEUE, scores)
    waited = {job.id: job.waited_ms / 1000 for job in (await desk.claim()).jobs}
    assert 5 <= waited[ripe] < 10
    assert 60 <= waited[set_back] < 65
    assert 60 <= waited[odd] < 65


async def test_a_wait_behind_another_job_is_no_wait_for_a_worker(desk: Desk) -> None:
    """It counts from the moment a job leads its lane."""
    first, second = await desk.line(2)
    for job in (first, second):
        await desk.write(job, enqueued=await desk.now() - 60_000)
    await desk.succeed(await desk.claim_one())
    assert (await desk.claim_one()).waited_ms < 5_000


async def test_a_wait_for_a_plugin_is_a_wait_for_a_worker(desk: Desk) -> None:
    """However often the job was put off meanwhile."""
    job = await desk.job()
    await desk.write(job, enqueued=await desk.now() - 60_000, unresolved=await desk.now() - 30_000)
    assert 30_000 <= (await desk.claim_one()).waited_ms < 35_000


async def test_a_repeated_claim_knows_no_wait(desk: Desk) -> None:
    """The moment is gone with the reply that was lost."""
    job = await desk.job()
    await desk.redis.zadd(keys.QUEUE, {job: await desk.now() - 5_000})
    await desk.claim()
    assert [again.waited_ms for again in (await desk.claim_again()).jobs] == [0]


async def test_a_job_that_crashed_twice_comes_alone(desk: Desk) -> None:
    """Those before it come without it, those after it later."""
    jobs = await desk.jobs(4)
    await desk.redis.hset(f"{keys.JOB}{jobs[2]}", mapping=TWICE_CRASHED)
    order = [id_.decode() for id_ in await desk.redis.zrange(keys.QUEUE, 0, -1)]
    place = order.index(jobs[2])
    claims = []
    while (claim := await desk.claim()).jobs:
        claims.append([job.id for job in claim.jobs])
    before, after = order[:place], order[place + 1 :]
    assert claims == [ids for ids in (before, [jobs[2]], after) if ids]
