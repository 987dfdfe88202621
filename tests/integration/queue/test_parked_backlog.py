"""A hundred thousand parked jobs cost those that may run nothing: counted in commands, not time."""

from collections import Counter

from desk import Desk

from imbi_sdk.queue import keys, without_lane

PARKED = 100_000
SCOPE = "handler:sonar#scan"


async def calls(desk: Desk) -> Counter[str]:
    """How often Redis has run each command so far, those of scripts included."""
    stats = await desk.redis.info("commandstats")
    return Counter({name: one["calls"] for name, one in stats.items()})


async def backlog(desk: Desk) -> None:
    desk.lane = without_lane
    for nth in range(PARKED // 1000):
        projects = [f"p-{nth}-{number}" for number in range(1000)]
        await desk.enqueue("sonar#scan", delivery=f"delivery-{nth}", projects=projects)
    await desk.pause(SCOPE)


async def test_parked_jobs_ahead_do_not_delay_one_that_may_run(torn: Desk) -> None:
    """Each is looked at once, when it comes up; from then on a claim meets the others only."""
    desk = torn
    runnable = await desk.job(delivery="before")
    before = await calls(desk)
    assert await desk.claimed_ids() == [runnable]
    alone = await calls(desk) - before

    await backlog(desk)
    claims = 0
    while (await desk.claim()).left:
        claims += 1
    assert await desk.redis.zcard(f"{keys.PARKED}{SCOPE}") == PARKED
    assert claims <= PARKED // 1000

    runnable = await desk.job(delivery="after")
    before = await calls(desk)
    assert await desk.claimed_ids() == [runnable]
    behind_them = await calls(desk) - before
    assert behind_them.total() <= alone.total() + 5
    # Else every key of them is looked at once more.
    await desk.redis.flushdb()
