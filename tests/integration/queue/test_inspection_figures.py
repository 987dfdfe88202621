"""What the tools read beside single jobs: holds, figures, and the list of deliveries."""

from datetime import UTC, datetime, timedelta

import pytest
from desk import ACTOR, SLUGS, Desk
from redis.asyncio import Redis

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.listing import Listing
from imbi_worker.queue.presence import Presence

GH = {"github": "gh-1"}
SCOPE = "plugin:gh-1"


async def beat(redis: Redis, worker: str) -> None:
    await Presence(redis, queue=keys.QUEUE, worker=worker, slugs=SLUGS, report=dict).beat()


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


async def test_where_nothing_is_held_there_are_no_holds(desk: Desk) -> None:
    """An empty answer, also when there are jobs."""
    await desk.job()
    assert await Inspection(desk.redis).holds() == ()


async def test_a_hold_tells_who_why_until_when_and_how_many(desk: Desk) -> None:
    """The one that ends first comes first; a pause has no end and comes last."""
    jobs = await desk.jobs(3, plugin_ids=GH)
    await desk.pause("handler:sonar#scan")
    claimed = (await desk.claim(jobs=3)).jobs
    before = await desk.now()
    for job in claimed:
        await desk.rate_limit(job, SCOPE, seconds=60)
    limit, pause = await Inspection(desk.redis).holds()
    assert (limit.scope, limit.kind, limit.reason, limit.actor, limit.parked) == (
        SCOPE,
        "rate_limit",
        "429",
        "w1",
        len(jobs),
    )
    assert limit.since is not None
    assert limit.until is not None
    assert at(before) <= limit.since <= at(await desk.now())
    assert at(before) + timedelta(seconds=60) <= limit.until <= at(await desk.now() + 60_000)
    assert (pause.scope, pause.kind, pause.reason, pause.actor, pause.parked) == (
        "handler:sonar#scan",
        "operator",
        "maintenance",
        ACTOR,
        0,
    )
    assert pause.since is not None
    assert pause.until is None


async def test_a_hold_whose_facts_are_gone_is_still_shown(torn: Desk) -> None:
    """It stops jobs by its name alone, so an operator must see it."""
    await torn.redis.zadd(keys.HOLDS, {"queue": await torn.now() + 60_000})
    (hold,) = await Inspection(torn.redis).holds()
    assert (hold.scope, hold.kind, hold.reason, hold.parked) == ("queue", "", "", 0)


async def test_an_empty_redis_has_figures_too(desk: Desk) -> None:
    """Nothing but zeros, as of Redis' clock."""
    before = at(await desk.now())
    stats = await Inspection(desk.redis).stats()
    assert before <= stats.at <= at(await desk.now() + 1)
    figures = (stats.due, stats.scheduled, stats.behind, stats.dead, stats.dead_bytes)
    assert figures == (0, 0, 0, 0, 0)
    assert (stats.live_workers, stats.holds, stats.counters) == (0, 0, {})


async def test_the_figures_tell_due_from_later_from_behind(desk: Desk) -> None:
    """Due now; running or at a known moment later; behind another job or parked."""
    await desk.job()
    await desk.claim_one()
    await desk.job(delivery="behind-the-one-that-runs")
    await desk.enqueue(delivery="of-others", projects=["p-2", "p-3", "p-4"])
    waiting, buried = (await desk.claim(jobs=2)).jobs
    await desk.end(waiting, "retry", wait_ms=60_000)
    await desk.bury(buried)
    stats = await Inspection(desk.redis).stats()
    assert (stats.due, stats.scheduled, stats.behind, stats.dead) == (1, 2, 1, 1)
    assert stats.dead_bytes > 0
    ended = {name: count for name, count in stats.counters.items() if "dead" in name}
    assert sum(ended.values()) == 1
    assert sum(count for name, count in stats.counters.items() if "succeeded" in name) == 0


async def test_the_figures_count_holds_and_only_live_workers(desk: Desk) -> None:
    """A worker is gone 30 s after its last beat, though it is listed for a while."""
    await beat(desk.redis, "w1")
    await beat(desk.redis, "w2")
    await desk.redis.zadd(keys.WORKERS, {"w2": await desk.now() - 31_000})
    await desk.pause("queue")
    stats = await Inspection(desk.redis).stats()
    assert (stats.live_workers, stats.holds) == (1, 1)


async def test_the_figures_are_those_of_one_queue(desk: Desk) -> None:
    """Another queue of the same database has jobs of its own."""
    await desk.jobs(2)
    assert (await Inspection(desk.redis).stats()).due == 2
    assert (await Inspection(desk.redis, queue="imbi:other").stats()).due == 0


async def deliveries(desk: Desk, count: int) -> list[str]:
    """So many deliveries, the newest last, each at a moment of its own."""
    ids = [f"d-{nth}" for nth in range(count)]
    now = await desk.now()
    for nth, delivery in enumerate(ids):
        await desk.enqueue("github#sync", "github#label", delivery=delivery)
        await desk.redis.zadd(keys.DELIVERIES, {delivery: now + nth}, xx=True)
    return ids


async def test_deliveries_are_listed_newest_first(desk: Desk) -> None:
    """Each with its jobs, their states, and how many are still open."""
    ids = await deliveries(desk, 3)
    claimed = await desk.claim_one(jobs=1)
    await desk.succeed(claimed)
    page = await Listing(Inspection(desk.redis)).deliveries(limit=10)
    assert [view.id for view in page.items] == ids[::-1]
    assert (page.cursor, page.remaining, page.is_exact) == (None, 0, True)
    oldest = page.items[-1]
    assert oldest.jobs[claimed.id] == "succeeded"
    assert (len(oldest.jobs), oldest.open) == (2, 1)
    assert [view.open for view in page.items[:2]] == [2, 2]
    assert all(view.received is not None for view in page.items)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
async def test_deliveries_come_in_pages(desk: Desk, limit: int) -> None:
    """Each once, in order; a page says how many more there are."""
    ids = await deliveries(desk, 5)
    listing = Listing(Inspection(desk.redis))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await listing.deliveries(limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        seen += [view.id for view in page.items]
        assert page.remaining == 5 - len(seen)
        assert (page.cursor is None) is (page.remaining == 0)
        if page.cursor is None:
            break
        cursor = page.cursor
    assert seen == ids[::-1]


async def test_a_delivery_that_comes_between_two_pages_hides_none(desk: Desk) -> None:
    """One may be shown twice; none is left out."""
    ids = await deliveries(desk, 4)
    listing = Listing(Inspection(desk.redis))
    first = await listing.deliveries(limit=2)
    await desk.enqueue(delivery="newest")
    await desk.redis.zadd(keys.DELIVERIES, {"newest": await desk.now() + 60_000}, xx=True)
    second = await listing.deliveries(limit=10, cursor=first.cursor)
    assert {view.id for view in (*first.items, *second.items)} == set(ids)


async def test_a_delivery_whose_record_has_expired_is_no_line(torn: Desk) -> None:
    """Its id may stand in the index for a while longer; the others are shown."""
    ids = await deliveries(torn, 2)
    await torn.redis.delete(f"{keys.DELIVERY}{ids[0]}")
    page = await Listing(Inspection(torn.redis)).deliveries(limit=10)
    assert [view.id for view in page.items] == [ids[1]]
