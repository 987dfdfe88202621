"""The marks of arq's Job.abort(), swept by every claim."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job
from desk import Desk
from pydantic import SecretStr

from factories import make_keywords
from imbi_sdk.queue import arq_deserializer, keys
from imbi_worker.queue.arq_pool import connect
from imbi_worker.queue.intake import Adopter, Intake


@pytest.fixture
async def arq(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A stock arq client with our two hooks."""
    client = connect(SecretStr(redis_url), queue=keys.QUEUE)
    yield client
    await client.aclose()


async def marks(desk: Desk) -> int:
    return int(await desk.redis.zcard(keys.ABORT))


async def test_a_mark_on_an_unknown_id_is_swept(desk: Desk) -> None:
    """Left for ever by arq 0.28, to kill a later job of that id."""
    await desk.abort("nobody")
    await desk.claim()
    assert await marks(desk) == 0


@pytest.mark.parametrize("kind", ["succeeded", "dead", "cancelled", "skipped"])
async def test_a_mark_on_an_ended_job_is_swept_and_changes_nothing(desk: Desk, kind: str) -> None:
    """It stays as it ended."""
    job = await desk.job()
    await desk.end(await desk.claim_one(), kind)  # type: ignore[arg-type]  # one of its kinds
    await desk.abort(job)
    await desk.claim()
    assert await marks(desk) == 0
    assert await desk.state(job) == kind


async def test_a_mark_on_a_dead_letter_does_not_kill_the_job_that_revives_it(desk: Desk) -> None:
    """Set before the redelivery came in, and not yet swept."""
    job = await desk.job()
    await desk.bury(await desk.claim_one())
    await desk.abort(job)
    await desk.enqueue()
    assert await desk.claimed_ids() == [job]
    assert await marks(desk) == 0


async def test_a_waiting_job_is_cancelled_before_it_runs(desk: Desk) -> None:
    """Reported as skipped, revived as CancelledError, body gone."""
    job = await desk.job()
    await desk.abort(job)
    assert await desk.claimed_ids() == []
    assert await desk.state(job) == "cancelled"
    assert isinstance((await desk.result(job))["r"], asyncio.CancelledError)
    assert (await desk.outcomes())[-1]["status"] == "skipped"
    assert await marks(desk) == 0
    assert await desk.events() == 0


async def test_cancelling_the_head_frees_its_lane_in_the_same_claim(desk: Desk) -> None:
    """The next one is handed out at once."""
    first, second = await desk.line(2)
    await desk.abort(first)
    assert await desk.claimed_ids() == [second]


async def test_a_lane_waiter_is_cancelled_and_the_others_keep_their_order(desk: Desk) -> None:
    """Taken out of the middle."""
    first, second, third = await desk.line(3)
    await desk.abort(second)
    claimed = await desk.claim_one()
    assert claimed.id == first
    assert await desk.state(second) == "cancelled"
    assert await desk.is_far(third)
    await desk.succeed(claimed)
    assert await desk.claimed_ids() == [third]


async def test_a_parked_job_is_cancelled_and_its_lane_advances(desk: Desk) -> None:
    """Out of its hold as well; the next head is parked in its turn."""
    first, second = await desk.line(2, plugin_ids={"github": "gh-1"})
    await desk.rate_limit(await desk.claim_one(), "plugin:gh-1")
    await desk.abort(first)
    assert await desk.claimed_ids() == []
    assert await desk.state(first) == "cancelled"
    assert await desk.parked("plugin:gh-1") == [second]


async def test_a_retrying_job_is_cancelled_and_its_lane_advances(desk: Desk) -> None:
    """It does not wait for its next attempt first."""
    first, second = await desk.line(2)
    await desk.end(await desk.claim_one(), "retry")
    await desk.abort(first)
    assert await desk.claimed_ids() == [second]
    facts = await desk.hash(first)
    assert (facts["state"], facts["attempts"]) == ("cancelled", "1")


async def test_a_running_job_is_told_to_its_worker_until_it_ends(desk: Desk) -> None:
    """The mark stays so that every claim tells it; it goes with the end."""
    job = await desk.job()
    claimed = await desk.claim_one("w1")
    await desk.abort(job)
    assert (await desk.claim("w1")).aborts == (job,)
    assert (await desk.claim("w2")).aborts == (job,)
    assert await desk.state(job) == "running"
    await desk.end(claimed, "cancelled", counts=False, reason="cancelled", status="skipped")
    assert await marks(desk) == 0
    assert (await desk.claim("w1")).aborts == ()


async def test_a_job_whose_worker_is_gone_is_cancelled_instead_of_run_again(desk: Desk) -> None:
    """Nobody is left to be told."""
    job = await desk.job()
    await desk.claim_one("w1")
    await desk.crash(job)
    await desk.abort(job)
    assert await desk.claimed_ids("w2") == []
    assert await desk.state(job) == "cancelled"


async def test_a_stock_job_that_nobody_has_met_is_adopted_and_then_cancelled(
    desk: Desk, arq: ArqRedis
) -> None:
    """It is brought to a worker even when it was deferred."""
    job = await arq.enqueue_job("github#sync", _defer_by=3600, **make_keywords())
    assert job is not None
    await desk.abort(job.job_id)
    ((id_, body),) = (await desk.claim()).strangers
    intake = Intake(signer=None, accepts_unsigned=True)
    assert await Adopter(desk.redis, intake, queue=keys.QUEUE).adopt(id_, body) == "adopted"
    assert await desk.claimed_ids() == []
    assert await desk.state(job.job_id) == "cancelled"


async def test_arqs_own_abort_answers_true(desk: Desk, arq: ArqRedis) -> None:
    """Its score reset makes nothing run, and it is told of the cancel."""
    first, second = await desk.line(2)
    abort_it = Job(second, arq, keys.QUEUE, arq_deserializer).abort
    abort = asyncio.create_task(abort_it(timeout=20, poll_delay=0.02))
    claimed: list[str] = []
    while not abort.done():
        claimed += await desk.claimed_ids()
        await asyncio.sleep(0.01)
    assert await abort
    assert claimed == [first]
    assert await desk.state(second) == "cancelled"
