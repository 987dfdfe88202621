"""adopt.lua: jobs of stock arq clients, taken in by the first worker that meets them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus
from desk import Desk
from pydantic import SecretStr
from redis.asyncio import Redis

from factories import make_event, make_keywords, make_signer
from imbi_sdk.queue import Signer, arq_deserializer, keys
from imbi_worker.queue.arq_pool import connect
from imbi_worker.queue.intake import Adopter, Intake


@pytest.fixture
async def arq(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A stock arq client with our two hooks."""
    client = connect(SecretStr(redis_url), queue=keys.QUEUE)
    yield client
    await client.aclose()


async def meet(desk: Desk, *, signer: Signer | None = None) -> dict[str, str]:
    """Claim, and adopt every stranger; what became of each."""
    adopter = Adopter(
        desk.redis, Intake(signer=signer, accepts_unsigned=signer is None), queue=keys.QUEUE
    )
    return {id_: await adopter.adopt(id_, body) for id_, body in (await desk.claim()).strangers}


async def enqueue(arq: ArqRedis, function: str = "github#sync", **keywords: Any) -> str:
    """Enqueue as any arq program does; due a moment ago, since arq rounds its clock up."""
    job = await arq.enqueue_job(function, **(keywords or make_keywords(handler=function)))
    assert job is not None
    await arq.zadd(keys.QUEUE, {job.job_id: 1})
    return job.job_id


async def test_a_stock_job_is_taken_in_and_runs(desk: Desk, arq: ArqRedis) -> None:
    """It gets a hash, a lane and a body without an expiry, and is due at once."""
    job = await enqueue(arq)
    assert await desk.redis.ttl(f"{keys.BODY}{job}") > 0
    assert await meet(desk) == {job: "adopted"}
    facts = await desk.hash(job)
    assert (facts["handler"], facts["lane"], facts["project"], facts["state"]) == (
        "github#sync",
        "p-1/github",
        "p-1",
        "waiting",
    )
    assert await desk.redis.ttl(f"{keys.BODY}{job}") == -1
    claimed = await desk.claim_one()
    assert claimed.id == job
    await desk.succeed(claimed)
    info = await Job(job, arq, keys.QUEUE, arq_deserializer).result_info()
    assert info is not None
    assert info.success


async def test_an_adopted_job_waits_behind_those_of_its_lane(desk: Desk, arq: ArqRedis) -> None:
    """The lane's order is the order in which workers learned of its jobs."""
    first = await desk.job()
    stock = await enqueue(arq)
    adopted = await meet(desk)
    assert adopted == {stock: "adopted"}
    assert await desk.is_far(stock)
    assert await Job(stock, arq, keys.QUEUE, arq_deserializer).status() is JobStatus.deferred
    await desk.crash(first)
    claimed = await desk.claim_one()
    assert claimed.id == first
    await desk.succeed(claimed)
    assert await desk.claimed_ids() == [stock]


async def test_adopting_twice_changes_nothing(desk: Desk, arq: ArqRedis) -> None:
    """Two workers may meet a stranger; the second finds it known."""
    job = await enqueue(arq)
    await meet(desk)
    body = await desk.redis.get(f"{keys.BODY}{job}")
    assert body is not None
    before = await desk.everything()
    adopter = Adopter(desk.redis, Intake(signer=None, accepts_unsigned=True), queue=keys.QUEUE)
    assert await adopter.adopt(job, body) == "known"
    assert await desk.everything() == before


async def test_a_stranger_whose_body_expired_meanwhile_is_gone(desk: Desk, arq: ArqRedis) -> None:
    """Its entry leaves the queue, and no hash is made."""
    job = await enqueue(arq)
    body = await desk.redis.getdel(f"{keys.BODY}{job}")
    assert body is not None
    adopter = Adopter(desk.redis, Intake(signer=None, accepts_unsigned=True), queue=keys.QUEUE)
    assert await adopter.adopt(job, body) == "gone"
    assert await desk.score(job) is None
    assert await desk.redis.exists(f"{keys.JOB}{job}") == 0


async def test_a_newer_wire_version_keeps_waiting_with_its_body(desk: Desk, arq: ArqRedis) -> None:
    """It is not judged here, and its body does not expire before a newer worker comes."""
    job = await enqueue(arq, **{**make_keywords(), "v": 99})
    for _ in range(2):
        assert await meet(desk) == {job: "adopted"}
        assert await desk.redis.exists(f"{keys.JOB}{job}") == 0
        assert await desk.redis.ttl(f"{keys.BODY}{job}") == -1
        score = await desk.score(job)
        assert score is not None
        assert 3000 < score - await desk.now() <= 5000
        await desk.look_again()


async def test_a_function_that_is_no_handler_is_parked_as_foreign(
    desk: Desk, arq: ArqRedis
) -> None:
    """Another program's job is neither run nor lost, and the janitor leaves it, too."""
    job = await enqueue(arq, "send_email", to="someone")
    assert await meet(desk) == {job: "adopted"}
    facts = await desk.hash(job)
    assert (facts["state"], facts["hold"]) == ("parked", "foreign")
    assert await desk.parked("foreign") == [job]
    assert await desk.is_far(job)
    assert await desk.tidy() == (0, [])
    assert await desk.claimed_ids() == []
    assert await desk.redis.exists(f"{keys.BODY}{job}") == 1


async def test_a_pickle_is_buried_with_its_bytes(desk: Desk) -> None:
    """Never loaded; visible, counted, and its result reads as a failure."""
    body = b"\x80\x04\x95canary-4f1d-do-not-leak"
    await desk.redis.set(f"{keys.BODY}stock", body, ex=60)
    await desk.redis.zadd(keys.QUEUE, {"stock": 1})
    assert await meet(desk) == {"stock": "adopted"}
    facts = await desk.hash("stock")
    assert (facts["state"], facts["reason"], facts["attempts"]) == ("dead", "invalid job", "0")
    assert "pickle" in facts["error"]
    assert await desk.redis.get(f"{keys.BODY}stock") == body
    assert await desk.redis.ttl(f"{keys.BODY}stock") == -1
    assert await desk.counter("refused") == 1
    assert "canary" not in str([facts, await desk.result("stock"), await desk.outcomes()])


async def test_an_unsigned_stock_job_is_dead_where_signatures_are_asked_for(
    desk: Desk, arq: ArqRedis
) -> None:
    """Write access to Redis is not enough; the handler stands in its facts."""
    job = await enqueue(arq)
    await meet(desk, signer=make_signer())
    facts = await desk.hash(job)
    assert (facts["state"], facts["reason"], facts["handler"]) == (
        "dead",
        "signature not valid",
        "github#sync",
    )
    assert await desk.redis.keys(f"{keys.LANE}*") == []


async def test_a_job_whose_event_is_not_stored_is_dead_as_invalid_event(
    desk: Desk, arq: ArqRedis
) -> None:
    """It refers to a delivery that Redis does not hold."""
    keywords = make_keywords(delivery="nowhere")
    del keywords["event"]
    job = await enqueue(arq, **keywords, event_ref="a" * 64)
    await meet(desk)
    facts = await desk.hash(job)
    assert (facts["state"], facts["reason"]) == ("dead", "invalid event")
    assert "nowhere" in facts["error"]


async def test_a_stock_job_may_refer_to_an_event_that_is_stored(desk: Desk, arq: ArqRedis) -> None:
    """It then counts as a reference like any other."""
    known = await desk.job()
    digest = (await desk.hash(known))["digest"]
    keywords = make_keywords(delivery="delivery-1", project="p-2")
    del keywords["event"]
    job = await enqueue(arq, **keywords, event_ref=digest)
    first = await desk.claim("w1")
    adopter = Adopter(desk.redis, Intake(signer=None, accepts_unsigned=True), queue=keys.QUEUE)
    for id_, body in first.strangers:
        await adopter.adopt(id_, body)
    await desk.succeed(first.jobs[0])
    assert await desk.events() == 1
    claimed = await desk.claim_one()
    assert claimed.id == job
    assert claimed.event == first.jobs[0].event
    await desk.succeed(claimed)
    assert await desk.events() == 0


async def test_a_stock_job_belongs_to_its_delivery(desk: Desk, arq: ArqRedis) -> None:
    """Its outcome says when the last one of its project has ended."""
    job = await enqueue(arq, **make_keywords(delivery="delivery-9", event=make_event()))
    await meet(desk)
    assert (await desk.delivery("delivery-9"))["open"] == "1"
    await desk.succeed(await desk.claim_one())
    assert (await desk.outcomes())[-1]["last"] == "1"
    assert (await desk.delivery("delivery-9"))[f"job:{job}"] == "succeeded"


async def test_a_deferred_stock_job_is_met_when_it_is_due(desk: Desk, arq: ArqRedis) -> None:
    """Its own score is kept until then."""
    job = await arq.enqueue_job("github#sync", _defer_by=3600, **make_keywords())
    assert job is not None
    assert await meet(desk) == {}
    await desk.redis.zadd(keys.QUEUE, {job.job_id: 1})
    assert await meet(desk) == {job.job_id: "adopted"}


async def test_a_stock_client_is_told_the_duplicate_of_a_job_of_ours(
    desk: Desk, arq: ArqRedis, redis: Redis
) -> None:
    """Its own rule holds: an id with a body or a result is not enqueued again."""
    job = await desk.job()
    again = await arq.enqueue_job("github#sync", _job_id=job, **make_keywords())
    assert again is None
    body = await redis.get(f"{keys.BODY}{job}")
    assert body is not None
    assert "sig" in arq_deserializer(body)["k"]
