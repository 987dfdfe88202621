"""A claim that lies in Redis before there is a job for it."""

import asyncio
from datetime import timedelta

import pytest
from desk import Desk
from redis import Redis as BlockingRedis
from redis.exceptions import ResponseError

from imbi_sdk.queue import keys
from imbi_worker.queue.claims import Claim, Request
from waiting import until

WAIT = timedelta(seconds=5)
FOUR = Request(4, 2**20, takes_any=True, spares_expired=False, graph_answers=True)


async def blocked(desk: Desk) -> bool:
    return bool((await desk.redis.info("clients"))["blocked_clients"])


async def waiting_claim(desk: Desk, worker: str = "w1") -> "asyncio.Task[Claim]":
    """A claim of *worker* that waits in Redis."""
    claiming = asyncio.create_task(desk.claimer(worker).claim(FOUR, wait=WAIT))
    await until(lambda: blocked(desk))
    return claiming


async def test_a_token_is_all_it_takes(desk: Desk, redis_url: str) -> None:
    """Redis runs the claim that lies there: the worker need not even hear of the token first."""
    assert await desk.claimed_ids("w2") == []  # Redis knows the script from here on
    job = await desk.job()
    await desk.redis.delete(keys.WAKE)
    claiming = await waiting_claim(desk)
    with BlockingRedis.from_url(redis_url) as other:
        # The loop does not turn here, so nothing of the worker runs.
        other.rpush(keys.WAKE, "1")
        assert other.hget(f"{keys.JOB}{job}", "state") == b"running"
    claim = await claiming
    assert [claimed.id for claimed in claim.jobs] == [job]
    await desk.succeed(claim.jobs[0])


async def test_it_ends_with_nothing_when_its_time_is_over(desk: Desk) -> None:
    claim = await desk.claimer("w1").claim(FOUR, wait=timedelta(milliseconds=20))
    assert claim.jobs == ()
    assert claim.left == ""


async def test_it_takes_no_more_than_it_asked_for(desk: Desk) -> None:
    """Others are woken for the rest."""
    claiming = await waiting_claim(desk)
    await desk.jobs(10)
    claim = await claiming
    assert len(claim.jobs) == 4
    assert claim.left == "more"
    assert await desk.redis.execute_command("LLEN", keys.WAKE) > 0


async def test_a_redis_that_lost_the_script_is_given_it_again(desk: Desk) -> None:
    claiming = await waiting_claim(desk)
    await desk.redis.script_flush()
    job = await desk.job()
    assert [claimed.id for claimed in (await claiming).jobs] == [job]


async def test_an_error_of_a_claim_that_waited_is_raised(torn: Desk) -> None:
    """It is the script's, though the pipeline with it went well."""
    claiming = await waiting_claim(torn)
    await torn.redis.set("imbi:layout", "7")
    await torn.redis.rpush(keys.WAKE, "1")
    with pytest.raises(ResponseError, match=r"LAYOUT.*layout 7.*layout 1"):
        await claiming


async def test_one_that_is_given_up_claims_nothing_any_more(desk: Desk) -> None:
    """A worker that leaves closes its number, and then a token may come as late as it likes."""
    claiming = await waiting_claim(desk)
    claimer = desk.claimer("w1")
    number = claimer._number
    nothing = Request(0, 0, takes_any=False, spares_expired=True, graph_answers=False)
    assert (await claimer.claim(nothing)).jobs == ()
    assert claimer._number == number + 1
    job = await desk.job()
    assert (await claiming).jobs == ()
    assert await desk.claimed_ids("w2") == [job]


async def test_one_whose_reply_was_lost_returns_the_same_jobs(desk: Desk) -> None:
    claiming = await waiting_claim(desk)
    job = await desk.job()
    first = await claiming
    again = await desk.claim_again()
    assert [claimed.id for claimed in again.jobs] == [job]
    assert again.jobs[0].token == first.jobs[0].token
