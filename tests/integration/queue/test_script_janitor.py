"""janitor.lua: limits of dead letters, and repairs of what should never be."""

from datetime import timedelta

from desk import Desk
from structlog.testing import capture_logs

from imbi_sdk.queue import keys, without_lane
from imbi_worker.queue.janitor import Janitor, Retention


async def graves(desk: Desk, count: int) -> list[str]:
    """Dead letters, the oldest first."""
    desk.lane = without_lane
    jobs = [await desk.job(delivery=f"delivery-{number}") for number in range(count)]
    for place, job in enumerate(jobs):
        await desk.redis.zadd(keys.QUEUE, {job: place + 1})
    for claimed in (await desk.claim()).jobs:
        await desk.bury(claimed)
    return jobs


async def test_a_healthy_queue_needs_no_repair(desk: Desk) -> None:
    """Waiting, lane-waiting, running, retrying, parked and dead: nothing is touched."""
    await desk.line(3)
    await desk.enqueue(projects=["p-8", "p-9"], delivery="x", plugin_ids={"github": "gh-1"})
    one, two, three = (await desk.claim()).jobs
    await desk.end(one, "retry")
    await desk.rate_limit(two, "plugin:gh-1")
    await desk.bury(three)
    before = await desk.everything()
    assert await desk.tidy() == (0, [])
    after = await desk.everything()
    del after[b"imbi:janitor"]
    assert after == before


async def test_dead_letters_beyond_the_count_leave_the_oldest_first(desk: Desk) -> None:
    """With body, hash, result and event; the delivery remembers."""
    jobs = await graves(desk, 5)
    assert await desk.tidy(Retention(count=3)) == (2, [])
    left = {job.decode() for job in await desk.redis.zrange(keys.DEAD, 0, -1)}
    assert left == set(jobs[2:])
    for number, job in enumerate(jobs[:2]):
        names = [f"{prefix}{job}" for prefix in (keys.BODY, keys.JOB, keys.RESULT)]
        assert await desk.redis.exists(*names, f"{keys.EVENT}delivery-{number}") == 0
        record = await desk.delivery(f"delivery-{number}")
        assert record[f"job:{job}"] == "discarded"
        assert await desk.redis.ttl(f"{keys.DELIVERY}delivery-{number}") > 0


async def test_dead_letters_beyond_the_age_leave(desk: Desk) -> None:
    """Thirty days, counted from the death."""
    jobs = await graves(desk, 3)
    long_ago = await desk.now() - int(timedelta(days=31) / timedelta(milliseconds=1))
    await desk.redis.zadd(keys.DEAD, {jobs[0]: long_ago})
    assert await desk.tidy() == (1, [])
    assert await desk.redis.zscore(keys.DEAD, jobs[0]) is None


async def test_dead_letters_beyond_the_bytes_leave(desk: Desk) -> None:
    """Until the rest fits."""
    jobs = await graves(desk, 4)
    sizes = [await desk.weight(job) for job in jobs]
    assert await desk.tidy(Retention(size_bytes=sum(sizes[-2:]))) == (2, [])
    assert await desk.redis.get(keys.DEAD_BYTES) == str(sum(sizes[-2:])).encode()


async def test_an_event_stays_for_the_dead_letters_that_are_left(desk: Desk) -> None:
    """Two of one delivery: the event goes with the second."""
    await desk.jobs(2)
    for claimed in (await desk.claim()).jobs:
        await desk.bury(claimed)
    await desk.tidy(Retention(count=1))
    assert await desk.events() == 1
    await desk.tidy(Retention(count=0))
    assert await desk.events() == 0


async def test_only_one_worker_keeps_house_in_a_round(desk: Desk) -> None:
    """The second finds the house kept and changes nothing."""
    await graves(desk, 2)
    first, second = (
        Janitor(desk.redis, queue=keys.QUEUE, worker=name, retention=Retention(count=0))
        for name in ("w1", "w2")
    )
    assert await first.tidy() == (2, [])
    assert await second.tidy() == (0, [])
    assert await desk.redis.get("imbi:janitor") == b"w1"
    assert 0 < await desk.redis.pttl("imbi:janitor") < 30_000


async def test_a_round_looks_on_where_the_last_one_stopped(torn: Desk) -> None:
    """A long queue is gone through in several rounds; none of it is left out."""
    await torn.redis.zadd(keys.QUEUE, {f"ghost-{n}": keys.FAR for n in range(3000)})
    janitor = Janitor(torn.redis, queue=keys.QUEUE, worker="w1", retention=Retention())
    rounds = 0
    while await torn.redis.zcard(keys.QUEUE) and rounds < 20:
        rounds += 1
        await torn.redis.delete("imbi:janitor")
        await janitor.tidy()
    assert 1 < rounds < 10
    assert await torn.counter("repairs:ghost") == 3000


async def test_workers_that_are_long_gone_are_forgotten(desk: Desk) -> None:
    """Two minutes after the last heartbeat."""
    now = await desk.now()
    await desk.redis.zadd(keys.WORKERS, {"gone": now - 121_000, "here": now - 60_000})
    await desk.tidy()
    assert await desk.redis.zrange(keys.WORKERS, 0, -1) == [b"here"]


# --- repairs, each of a state that no script makes


async def test_an_entry_without_job_and_body_is_removed(torn: Desk) -> None:
    """A ghost far in the future would never be met by a claim."""
    await torn.redis.zadd(keys.QUEUE, {"ghost": keys.FAR + 1})
    assert await torn.tidy() == (0, ["ghost"])
    assert await torn.score("ghost") is None
    assert await torn.counter("repairs:ghost") == 1


async def test_a_stranger_is_no_ghost(desk: Desk) -> None:
    """It has a body and waits to be adopted."""
    await desk.redis.set(f"{keys.BODY}stock", b"{}", ex=60)
    await desk.redis.zadd(keys.QUEUE, {"stock": keys.FAR - 1})
    assert await desk.tidy() == (0, [])


async def test_a_head_that_nobody_freed_is_made_due(torn: Desk) -> None:
    """A lane must not stand still."""
    first, second = await torn.line(2)
    await torn.redis.zadd(keys.QUEUE, {first: keys.FAR + 5})
    assert await torn.tidy() == (0, ["head"])
    assert await torn.claimed_ids() == [first]
    assert await torn.is_far(second)


async def test_a_waiter_with_a_moment_of_its_own_goes_back_to_far(torn: Desk) -> None:
    """I1; a due one is put back by the claim that meets it."""
    _, second = await torn.line(2)
    await torn.redis.zadd(keys.QUEUE, {second: await torn.now() + 60_000})
    assert await torn.tidy() == (0, ["waiter"])
    assert await torn.is_far(second)


async def test_a_job_parked_under_no_hold_comes_back(torn: Desk) -> None:
    """Whoever deletes a hold by hand does not lose its jobs."""
    job = await torn.job()
    await torn.pause("queue")
    await torn.claim()
    await torn.redis.delete(keys.HOLDS)
    assert await torn.tidy() == (0, ["parked"])
    assert await torn.claimed_ids() == [job]


async def test_a_lane_led_by_a_job_that_is_gone_goes_on(torn: Desk) -> None:
    """A lost hash takes its lane with it otherwise."""
    first, second, third = await torn.line(3)
    await torn.redis.delete(f"{keys.JOB}{first}", f"{keys.BODY}{first}")
    assert await torn.claimed_ids() == []
    _, repairs = await torn.tidy()
    assert "lane" in repairs
    assert await torn.claimed_ids() == [second]
    assert await torn.is_far(third)


async def test_a_running_job_out_of_sight_is_found_again(torn: Desk) -> None:
    """Its lease may have ended, and no claim would look at FAR."""
    job = await torn.job()
    await torn.claim_one("w1")
    await torn.crash(job)
    await torn.redis.zadd(keys.QUEUE, {job: keys.FAR + 1})
    assert await torn.tidy() == (0, ["lease"])
    assert await torn.claimed_ids("w2") == [job]


async def test_repairs_are_told_as_an_error(torn: Desk) -> None:
    """They must stay at zero; whoever sees one reports it."""
    await torn.redis.zadd(keys.QUEUE, {"ghost": keys.FAR + 1})
    with capture_logs() as logs:
        await torn.tidy()
    assert [(log["event"], log["log_level"]) for log in logs] == [("queue.repaired", "error")]
