"""replay.lua: the only way back for a dead letter."""

import json

from desk import Desk

from factories import HANDLER, make_job, make_keywords, make_signer
from imbi_sdk.queue import arq_serializer, keys
from imbi_sdk.queue.wire import encode
from imbi_worker.queue.intake import Adopter, Intake
from imbi_worker.queue.janitor import Retention


async def dead(desk: Desk, **options: str) -> str:
    job = await desk.job(**options)
    await desk.bury(await desk.claim_one())
    return job


async def test_a_dead_letter_runs_again_from_the_start(desk: Desk) -> None:
    """New run number, attempts from zero, the same event, out of the list of the dead."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "retry", wait_ms=0)
    await desk.make_due(job)
    await desk.bury(await desk.claim_one())
    replayed = await desk.replay(job)
    assert (replayed.result, replayed.later_ran) == ("replayed", False)
    claimed = await desk.claim_one()
    assert (claimed.id, claimed.run, claimed.number) == (job, 2, 1)
    assert claimed.first_failed_at is None
    assert claimed.event != b""
    assert await desk.redis.zcard(keys.DEAD) == 0
    assert await desk.redis.exists(f"{keys.RESULT}{job}") == 0
    await desk.succeed(claimed)
    assert await desk.events() == 0


async def test_a_replay_forgets_what_the_dead_run_knew(desk: Desk) -> None:
    """Crashes, unknown effects, holds and deadlines belong to the run before."""
    job = await desk.job()
    for worker in ("w1", "w2"):
        await desk.claim_one(worker)
        await desk.crash(job)
    claimed = await desk.claim_one("w3")
    await desk.note_alone(claimed)
    await desk.end(claimed, "deferred", counts=False, wait_ms=await desk.now())
    await desk.make_due(job)
    await desk.bury(await desk.claim_one("w3"))
    await desk.replay(job)
    again = await desk.claim_one("w4")
    assert (again.crashes, again.attempts, again.after_unknown) == (0, 0, False)
    assert again.deferred_since is None
    assert not again.held
    facts = await desk.hash(job)
    assert not {"reason", "error", "status", "ended"} & facts.keys()
    assert "alone" not in facts


async def test_a_replay_joins_its_lane_at_the_tail(desk: Desk) -> None:
    """It does not push aside what waits there."""
    job = await dead(desk)
    waiting = await desk.job(delivery="delivery-2")
    await desk.replay(job)
    assert await desk.is_far(job)
    first = await desk.claim_one()
    assert first.id == waiting
    await desk.succeed(first)
    assert await desk.claimed_ids() == [job]


async def test_a_replay_warns_when_later_jobs_of_its_lane_already_ran(desk: Desk) -> None:
    """A late in_progress would then overwrite a success."""
    job = await dead(desk)
    await desk.job(delivery="delivery-2")
    await desk.succeed(await desk.claim_one())
    assert (await desk.replay(job)).later_ran


async def test_a_later_job_that_was_cancelled_before_it_ran_is_no_reason_to_warn(
    desk: Desk,
) -> None:
    """Nothing overtook the dead letter."""
    first, second = await desk.line(2)
    head = await desk.claim_one()
    await desk.abort(second)
    await desk.claim("w2")
    assert await desk.state(second) == "cancelled"
    await desk.bury(head)
    assert not (await desk.replay(first)).later_ran


async def test_a_lane_of_others_is_no_reason_to_warn(desk: Desk) -> None:
    """Only its own lane counts, and a job without a lane has none."""
    job = await dead(desk)
    await desk.job("sonar#scan", delivery="delivery-2")
    await desk.succeed(await desk.claim_one())
    assert not (await desk.replay(job)).later_ran


async def test_a_replay_may_bring_a_corrected_body(desk: Desk) -> None:
    """`dead replay --config FILE`: the bytes of dead letters are counted as they were."""
    job = await dead(desk)
    other = await dead(desk, delivery="delivery-2")
    size = await desk.weight(other)
    body = encode(make_job(config='{"corrected": true}'), signer=make_signer(), enqueued_ms=1)
    assert (await desk.replay(job, body=body)).result == "replayed"
    assert await desk.redis.get(keys.DEAD_BYTES) == str(size).encode()
    assert (await desk.claim_one()).body == body
    assert (await desk.audit())[-1]["changed_body"] == "1"


async def test_a_replay_is_audited_with_actor_and_reason(desk: Desk) -> None:
    """Who changed what, and why."""
    job = await dead(desk)
    await desk.replay(job, reason="the repository is back")
    (entry,) = await desk.audit()
    assert entry.pop("at").isdigit()
    assert entry == {
        "verb": "replay",
        "scope": f"job:{job}",
        "count": "1",
        "handler": "github#sync",
        "actor": "ann@example.org",
        "reason": "the repository is back",
        "changed_body": "0",
    }
    assert (await desk.hash(job))["replayed_by"] == "ann@example.org"


async def test_a_delivery_is_open_again_until_its_replay_has_ended(desk: Desk) -> None:
    """The outcome of the replay is the last of its project once more."""
    job = await dead(desk)
    await desk.replay(job)
    assert (await desk.delivery())["open"] == "1"
    await desk.succeed(await desk.claim_one())
    outcomes = await desk.outcomes()
    assert [(o["state"], o["run"], o["last"]) for o in outcomes] == [
        ("dead", "1", "1"),
        ("succeeded", "2", "1"),
    ]


async def test_the_record_of_a_delivery_does_not_expire_under_a_replay(desk: Desk) -> None:
    """Also of stock jobs, whose event is not stored: the other one's end set its seven days."""
    adopter = Adopter(desk.redis, Intake(signer=None, accepts_unsigned=True), queue=keys.QUEUE)
    for project in ("p-1", "p-2"):
        keywords = make_keywords(project=project, delivery="delivery-9")
        body = arq_serializer({"t": None, "f": HANDLER, "a": [], "k": keywords, "et": 1})
        await desk.redis.set(f"{keys.BODY}stock {project}", body, ex=60)
        await desk.redis.zadd(keys.QUEUE, {f"stock {project}": 1})
        assert await adopter.adopt(f"stock {project}", body) == "adopted"
    first, second = (await desk.claim()).jobs
    await desk.bury(first)
    await desk.succeed(second)
    assert await desk.redis.ttl(f"{keys.DELIVERY}delivery-9") > 0
    await desk.replay(first.id)
    assert await desk.redis.ttl(f"{keys.DELIVERY}delivery-9") == -1


async def test_the_attempts_of_both_runs_are_kept(desk: Desk) -> None:
    """A replay does not overwrite the history of the run that died."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), "dead", record='{"n": 1, "outcome": "dead"}')
    await desk.replay(job)
    await desk.end(await desk.claim_one(), "succeeded", record='{"n": 1}')
    facts = await desk.hash(job)
    assert json.loads(facts["attempt:1.1"])["outcome"] == "dead"
    assert facts["attempt:2.1"] == '{"n": 1}'


async def test_an_abort_mark_on_the_dead_letter_does_not_cancel_its_replay(desk: Desk) -> None:
    """The mark was for the run that is over."""
    job = await dead(desk)
    await desk.abort(job)
    await desk.replay(job)
    assert await desk.claimed_ids() == [job]


async def test_a_replayed_job_can_die_and_be_replayed_again(desk: Desk) -> None:
    """Each time under the next run number."""
    job = await dead(desk)
    for run in (2, 3):
        await desk.replay(job)
        claimed = await desk.claim_one()
        assert claimed.run == run
        await desk.bury(claimed)
    assert await desk.events() == 1


async def test_what_is_not_dead_is_not_replayed(desk: Desk) -> None:
    """Waiting, running and succeeded jobs stay as they are."""
    job = await desk.job()
    await desk.redis.delete(keys.WAKE)
    for _ in range(2):
        before = await desk.everything()
        assert (await desk.replay(job)).result == "not dead"
        assert await desk.everything() == before
        claimed = await desk.claim()
        for entry in claimed.jobs:
            await desk.succeed(entry)


async def test_an_unknown_job_is_missing(desk: Desk) -> None:
    """Also one that the janitor has discarded."""
    assert (await desk.replay("nobody")).result == "missing"
    job = await dead(desk)
    await desk.tidy(Retention(count=0))
    assert (await desk.replay(job)).result == "missing"


async def test_without_its_event_a_dead_letter_is_not_replayed(torn: Desk) -> None:
    """It could only die again; it stays where it is."""
    job = await dead(torn)
    await torn.redis.delete(f"{keys.EVENT}delivery-1")
    assert (await torn.replay(job)).result == "event gone"
    assert await torn.state(job) == "dead"


async def test_a_dead_letter_without_a_body_is_not_replayed_to_die_again(torn: Desk) -> None:
    job = await dead(torn)
    await torn.redis.delete(f"{keys.BODY}{job}")
    assert (await torn.replay(job)).result == "body gone"
    assert (await torn.hash(job))["state"] == "dead"
