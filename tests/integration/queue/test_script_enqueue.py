"""enqueue.lua: all of a call or nothing, an answer for each job, the event stored once."""

import asyncio
import json

import pytest
from desk import Desk

from factories import HANDLER, WEBHOOK, make_context, make_event, make_rule, make_signer
from imbi_sdk.queue import (
    ActionQueue,
    EnqueueStatus,
    InvalidDelivery,
    QueueError,
    Target,
    by_project,
    job_id,
    keys,
    without_lane,
)
from imbi_sdk.queue.producer import JOBS_PER_CALL
from imbi_sdk.queue.signing import event_digest
from imbi_sdk.queue.wire import decode
from imbi_worker.queue.janitor import Retention

CANARY = "canary-4f1d-do-not-leak"


async def test_a_delivery_gives_a_job_for_each_rule_and_project_in_rule_order(desk: Desk) -> None:
    """Two projects and two rules are four jobs, each accepted, projects one after the other."""
    enqueued = await desk.enqueue("github#release", "github#deploy", projects=["p-1", "p-2"])
    assert [(job.project_id, job.handler) for job in enqueued.jobs] == [
        ("p-1", "github#release"),
        ("p-1", "github#deploy"),
        ("p-2", "github#release"),
        ("p-2", "github#deploy"),
    ]
    assert enqueued.count(EnqueueStatus.ACCEPTED) == 4
    assert enqueued.calls == 1


async def test_what_lies_in_redis_is_the_signed_job_in_arq_form(desk: Desk) -> None:
    """The body decodes, its signature is valid, and nothing of it expires."""
    job = await desk.job()
    body = await desk.redis.get(f"{keys.BODY}{job}")
    assert body is not None
    decoded = decode(job, body)
    assert decoded.is_signed_by(make_signer())
    assert decoded.job.handler == HANDLER
    assert json.loads(body)["a"] == []
    assert await desk.redis.ttl(f"{keys.BODY}{job}") == -1


async def test_a_job_alone_in_its_lane_is_due_at_once_and_the_next_waits(desk: Desk) -> None:
    """I1: only the head has a score below FAR; the other stays in the queue and looks deferred."""
    first, second = await desk.line(2)
    assert await desk.is_due(first)
    assert await desk.is_far(second)
    assert await desk.redis.zrange(f"{keys.LANE}p-1/github", 0, -1) == [
        first.encode(),
        second.encode(),
    ]


async def test_the_lane_is_project_and_plugin_unless_told(desk: Desk) -> None:
    """Another plugin or another project does not wait."""
    jobs = await desk.enqueue("github#sync", "sonar#scan", projects=["p-1", "p-2"])
    assert await desk.due() == {job.id for job in jobs.jobs}


async def test_a_lane_of_the_project_keeps_plugins_in_order(desk: Desk) -> None:
    """With by_project the second plugin waits for the first."""
    desk.lane = by_project
    jobs = await desk.enqueue("github#sync", "sonar#scan")
    assert await desk.due() == {jobs.jobs[0].id}


async def test_without_a_lane_all_jobs_are_due(desk: Desk) -> None:
    """No lane is kept for them at all."""
    desk.lane = without_lane
    jobs = await desk.enqueue("github#a", "github#b")
    assert await desk.due() == {job.id for job in jobs.jobs}
    assert await desk.redis.keys(f"{keys.LANE}*") == []


async def test_a_call_repeated_with_its_nonce_returns_the_first_reply_and_changes_nothing(
    desk: Desk,
) -> None:
    """Even for rules that the first call did not have a word about."""
    first = await desk.enqueue("github#a", "github#b", nonce="n-1")
    before = await desk.everything()
    assert await desk.enqueue("github#a", "github#b", nonce="n-1") == first
    assert await desk.everything() == before


async def test_a_nonce_still_answers_after_its_jobs_ended(desk: Desk) -> None:
    """A dead or cancelled job is not revived by a call that only lost its reply."""
    first = await desk.enqueue("github#a", nonce="n-1")
    await desk.bury(await desk.claim_one())
    before = await desk.everything()
    assert await desk.enqueue("github#a", nonce="n-1") == first
    assert await desk.everything() == before


async def test_two_calls_at_once_with_one_nonce_enqueue_once(desk: Desk) -> None:
    """Whoever comes second gets the reply of the first."""
    replies = await asyncio.gather(*(desk.enqueue(nonce="n-1") for _ in range(2)))
    assert replies[0] == replies[1]
    assert (await desk.delivery())["open"] == "1"


@pytest.mark.parametrize("ended", ["waiting", "running", "succeeded", "skipped"])
async def test_a_duplicate_is_dropped_and_counted(desk: Desk, ended: str) -> None:
    """Of a waiting, running, succeeded or skipped job; it does not run again."""
    job = await desk.job()
    if ended != "waiting":
        claimed = await desk.claim_one()
        if ended == "succeeded":
            await desk.succeed(claimed)
        elif ended == "skipped":
            await desk.end(claimed, "skipped", reason="nothing to do", status="skipped")
    again = await desk.enqueue(event=make_event(payload={"second": True}))
    assert [entry.status for entry in again.jobs] == [EnqueueStatus.DUPLICATE]
    assert await desk.counter("duplicates") == 1
    assert await desk.state(job) == ended


async def test_a_duplicate_is_known_as_long_as_the_record_even_when_its_hash_is_gone(
    desk: Desk,
) -> None:
    """A day after success the hash goes; the window for duplicates is seven days."""
    job = await desk.job()
    await desk.succeed(await desk.claim_one())
    await desk.redis.delete(f"{keys.JOB}{job}", f"{keys.RESULT}{job}")
    again = await desk.enqueue()
    assert again.count(EnqueueStatus.DUPLICATE) == 1
    ttl = await desk.redis.ttl(f"{keys.DELIVERY}delivery-1")
    assert 6 * 86400 < ttl <= 7 * 86400


async def test_duplicates_are_told_apart_within_one_call(desk: Desk) -> None:
    """A second rule that is new to the delivery is accepted beside the dropped one."""
    await desk.enqueue("github#a")
    again = await desk.enqueue("github#a", "github#b")
    assert [job.status for job in again.jobs] == [EnqueueStatus.DUPLICATE, EnqueueStatus.ACCEPTED]


@pytest.mark.parametrize("kind", ["dead", "cancelled"])
async def test_a_dead_or_cancelled_job_is_revived_with_the_new_body_at_the_tail(
    desk: Desk, kind: str
) -> None:
    """GitHub reuses the id on *Redeliver*: new body, new run, no attempts, after all others."""
    job = await desk.job()
    claimed = await desk.claim_one()
    if kind == "dead":
        await desk.bury(claimed)
    else:
        await desk.end(claimed, "cancelled", reason="cancelled", status="skipped")
    other = await desk.job(delivery="delivery-2")
    event = make_event(payload={"redelivered": True})

    again = await desk.enqueue(event=event)

    assert [entry.status for entry in again.jobs] == [EnqueueStatus.REVIVED]
    facts = await desk.hash(job)
    assert (facts["state"], facts["run"], facts["attempts"]) == ("waiting", "2", "0")
    assert "error" not in facts
    assert await desk.is_far(job)
    assert await desk.redis.zrange(f"{keys.LANE}p-1/github", -1, -1) == [job.encode()]
    body = await desk.redis.get(f"{keys.BODY}{job}")
    assert body is not None
    assert decode(job, body).job.event_ref == facts["digest"]
    assert await desk.redis.exists(f"{keys.RESULT}{job}") == 0
    first = await desk.claim_one()
    assert first.id == other
    await desk.succeed(first)
    revived = await desk.claim_one()
    assert (revived.id, revived.run) == (job, 2)
    assert event_digest(revived.event) == facts["digest"]


async def test_reviving_a_dead_letter_frees_its_reference_to_the_old_event(desk: Desk) -> None:
    """The old event goes with its last reference, the new one stays, and no dead letter is left."""
    await desk.job()
    await desk.bury(await desk.claim_one())
    assert await desk.events() == 1
    await desk.enqueue(event=make_event(payload={"redelivered": True}))
    assert await desk.events() == 1
    assert await desk.redis.zcard(keys.DEAD) == 0
    await desk.succeed(await desk.claim_one())
    assert await desk.events() == 0


async def test_reviving_with_the_same_event_keeps_it(desk: Desk) -> None:
    """The old reference is freed only after the new one is taken."""
    await desk.job()
    await desk.bury(await desk.claim_one())
    await desk.enqueue()
    assert (await desk.claim_one()).event != b""


async def test_a_discarded_job_is_revived_too(desk: Desk) -> None:
    """A dead letter that left by age may be delivered again, each time under a new run number."""
    await desk.job()
    await desk.bury(await desk.claim_one())
    assert await desk.tidy(Retention(count=0)) == (1, [])
    for run in (2, 3):
        again = await desk.enqueue()
        assert again.count(EnqueueStatus.REVIVED) == 1
        claimed = await desk.claim_one()
        assert claimed.run == run
        await desk.bury(claimed)
        await desk.tidy(Retention(count=0))


async def test_an_abort_mark_from_before_does_not_hit_a_new_job(desk: Desk) -> None:
    """The mark of an id that nobody knew is wiped when a job of that id comes."""
    await desk.abort(job_id(WEBHOOK, "delivery-1", "p-1", HANDLER, 0))
    job = await desk.job()
    assert await desk.claimed_ids() == [job]


@pytest.mark.parametrize("jobs", [1, 40])
async def test_one_worker_is_woken_however_many_jobs_there_are(desk: Desk, jobs: int) -> None:
    """Its claim wakes the next one if it leaves any."""
    await desk.jobs(jobs)
    assert await desk.tokens() == 1


async def test_a_job_that_waits_in_its_lane_wakes_nobody(desk: Desk) -> None:
    """Only what can run is worth waking for."""
    await desk.line(3)
    assert await desk.tokens() == 1


async def test_tokens_do_not_pile_up_while_nobody_takes_them(desk: Desk) -> None:
    """All workers are busy then; the next one that is not takes the one that lies there."""
    desk.lane = without_lane
    for number in range(6):
        await desk.jobs(16, delivery=f"delivery-{number}")
    assert await desk.tokens() == 1


async def test_an_event_is_stored_once_and_goes_with_its_last_reference(desk: Desk) -> None:
    """Three jobs share it; it has no expiry; the third end deletes it."""
    await desk.jobs(3)
    assert await desk.events() == 1
    assert await desk.redis.ttl(f"{keys.EVENT}delivery-1") == -1
    for left, job in enumerate(reversed((await desk.claim()).jobs)):
        assert await desk.events() == 1, left
        await desk.succeed(job)
    assert await desk.events() == 0


async def test_an_event_is_kept_while_a_dead_letter_refers_to_it(desk: Desk) -> None:
    """A replay needs it; the other ends do not take it away."""
    await desk.jobs(2)
    first, second = (await desk.claim()).jobs
    await desk.bury(first)
    await desk.succeed(second)
    assert await desk.events() == 1
    assert await desk.redis.ttl(f"{keys.DELIVERY}delivery-1") == -1


async def test_a_duplicate_stores_no_event(desk: Desk) -> None:
    """A redelivery of what has succeeded leaves nothing behind but its nonce."""
    await desk.job()
    await desk.succeed(await desk.claim_one())
    await desk.enqueue(event=make_event(payload={"other": 1}))
    assert await desk.events() == 0


async def test_two_events_of_one_delivery_are_kept_apart(desk: Desk) -> None:
    """Each job is handed the event it was enqueued with."""
    await desk.enqueue("github#a")
    await desk.enqueue("sonar#b", event=make_event(payload={"second": True}))
    assert await desk.events() == 2
    one, two = (await desk.claim()).jobs
    assert b"second" not in one.event
    assert b"second" in two.event


async def test_another_layout_is_refused_naming_both_numbers(desk: Desk) -> None:
    """Two versions that would corrupt each other do not meet; nothing is changed."""
    await desk.redis.set("imbi:layout", "7")
    before = await desk.everything()
    with pytest.raises(QueueError, match=r"layout 7.*layout 1"):
        await desk.enqueue()
    assert await desk.everything() == before


async def test_more_than_a_thousand_jobs_go_in_chunks_and_the_result_says_so(desk: Desk) -> None:
    """All are accepted, in order, and a repeat with the nonce changes nothing."""
    count = JOBS_PER_CALL + 5
    first = await desk.enqueue(projects=[f"p-{n}" for n in range(count)], nonce="n-1")
    assert first.calls == 2
    assert first.count(EnqueueStatus.ACCEPTED) == count
    assert await desk.redis.zcard(keys.QUEUE) == count
    assert (await desk.delivery())["open"] == str(count)
    again = await desk.enqueue(projects=[f"p-{n}" for n in range(count)], nonce="n-1")
    assert again == first
    assert await desk.redis.zcard(keys.QUEUE) == count


async def test_what_json_has_no_word_for_enqueues_nothing_and_names_the_place(desk: Desk) -> None:
    """All is checked first; the value itself is not told."""
    context = make_context().model_copy(update={"actor": "\ud800" + CANARY})
    queue = ActionQueue(desk.redis, signer=make_signer())
    with pytest.raises(InvalidDelivery, match=r"github#sync of project p-1") as caught:
        await queue.enqueue_delivery(
            delivery="delivery-1",
            webhook_id=WEBHOOK,
            event=make_event(),
            rules=[make_rule()],
            targets=[Target(context)],
        )
    assert CANARY not in str(caught.value)
    assert await desk.redis.dbsize() == 0


async def test_a_full_redis_refuses_with_everything_unchanged_while_running_jobs_end(
    own_desk: Desk,
) -> None:
    """The gateway is told; a lease is not lost to it, and what ends frees memory first."""
    desk = own_desk
    await desk.jobs(3)
    first, second, third = (await desk.claim()).jobs
    used = (await desk.redis.info("memory"))["used_memory"]
    await desk.redis.config_set("maxmemory", used // 2)
    before = await desk.everything()
    with pytest.raises(QueueError, match="maxmemory"):
        await desk.enqueue(delivery="delivery-2")
    assert await desk.everything() == before

    assert await desk.renew(first, second, third) == [1, 1, 1]
    await desk.succeed(first)
    await desk.bury(second)
    assert await desk.end(third, "retry") == "ok"
    await desk.redis.config_set("maxmemory", 0)
    assert [await desk.state(job.id) for job in (first, second, third)] == [
        "succeeded",
        "dead",
        "waiting",
    ]


async def test_a_script_that_redis_forgot_is_sent_again(desk: Desk) -> None:
    """After a restart or a failover nobody has to care."""
    await desk.redis.script_flush()
    assert (await desk.enqueue()).count(EnqueueStatus.ACCEPTED) == 1
    await desk.redis.script_flush()
    assert len((await desk.claim()).jobs) == 1
