"""Nothing of ours grows without bound, and nothing that is needed goes."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from imbi_sdk.errors import Skip, UpstreamError
from imbi_sdk.queue import JobContext, Target, WebhookRule
from imbi_worker.queue.janitor import Janitor, Retention
from integration.engine.room import Room
from integration.guarantees.puppets import STAGE
from integration.guarantees.scale import scaled
from integration.queue.desk import Desk
from waiting import until

PAGE = Path(__file__).parents[3] / "docs" / "keys.md"
ROW = re.compile(r"^\| `([^`]+)` \| (\w+) \| .+ \| (yes|no) \|$", re.MULTILINE)
HOUR, DAY = 3_600_000, 86_400_000
# Lists of all that ever was are capped; a stream's cap is approximate by one node.
CAPS = {"imbi:deliveries": 10_000, "imbi:outcomes": 100_200, "imbi:audit": 100_200, "imbi:wake": 64}


def table() -> dict[str, tuple[str, bool]]:
    """Glob -> type and whether it may stay, as the page says."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {re.sub(r"<\w+>", "*", key): (kind, stays == "yes") for key, kind, stays in rows}


async def kinds_and_ends(redis: Redis) -> dict[str, tuple[str, int]]:
    """Every key with its type and what is left of it (ms), -1 for ever."""
    found: dict[str, tuple[str, int]] = {}
    cursor = 0
    while True:
        cursor, names = await redis.scan(cursor, count=5_000)
        async with redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.type(name)
                pipe.pttl(name)
            said = await pipe.execute()
        for name, kind, left in zip(names, said[::2], said[1::2], strict=True):
            found[name.decode()] = (kind.decode(), left)
        if cursor == 0:
            return found


def row_of(name: str, rows: Mapping[str, Any]) -> str | None:
    # The longest pattern is the closest: imbi:lane-moved:* is not imbi:lane:*.
    fitting = [glob for glob in rows if fnmatchcase(name, glob)]
    return max(fitting, key=len) if fitting else None


def sizes(redis: Redis) -> Any:
    return {"zset": redis.zcard, "hash": redis.hlen, "list": redis.llen, "stream": redis.xlen}


async def standing(redis: Redis) -> dict[str, int]:
    """What has no expiry, and how many things are in it."""
    found = await kinds_and_ends(redis)
    counted = {}
    for name, (kind, left) in found.items():
        if left == -1:
            size = sizes(redis).get(kind)
            counted[name] = 1 if size is None else int(await size(name))
    return counted


async def fail_once(run: int) -> None:
    if run == 1:
        raise UpstreamError("503")


async def skip(_: int) -> None:
    raise Skip("nothing to do")


async def run_many(room: Room, count: int, first: int) -> None:
    """So many jobs in deliveries of 1,000; of each 1,000 some retry, skip and are cancelled."""
    targets = [
        Target(JobContext(project_id=f"p{n}", project_slug="p", org_slug="o")) for n in range(250)
    ]
    for number in range(first, first + count // 1000):
        odd = [f"{what} {number}" for what in ("retry", "skip", "ok")]
        STAGE.plays |= {odd[0]: fail_once, odd[1]: skip}
        rules = [WebhookRule(handler="probe#quiet", ordinal=n) for n in range(4)]
        await room.queue.enqueue_delivery(
            delivery=f"d{number}",
            webhook_id="w1",
            event={"type": "push", "metadata": {"headers": {}}, "payload": {"number": number}},
            rules=rules,
            targets=targets,
        )
        await room.enqueue(*({"label": label} for label in odd), delivery=f"odd{number}")
        doomed = await room.enqueue({"label": "never"}, delivery=f"x{number}", project="held")
        await room.redis.zadd("arq:abort", {doomed.jobs[0].id: 1})

    async def is_empty() -> bool:
        return await room.redis.zcard("imbi:queue") == 0

    await until(is_empty, within=300)


@pytest.mark.timeout(scaled(1_800, 600))
async def test_a_hundred_thousand_jobs_leave_nothing_for_ever(room: Room) -> None:
    """Every key is one of the table's, with its type; what may stay has not grown."""
    half = scaled(50_000, 3_000)
    rows = table()
    async with room.worker():
        await run_many(room, half, 0)
        before = await standing(room.redis)
        await run_many(room, half, half)
    after = await standing(room.redis)
    found = await kinds_and_ends(room.redis)
    for name, (kind, left) in found.items():
        glob = row_of(name, rows)
        assert glob is not None, f"{name} is not in the table"
        assert kind == rows[glob][0], name
        assert left != -1 or rows[glob][1], f"{name} stays for ever"
    # A capped list may stand empty, and so not at all.
    assert after.keys() <= before.keys() | CAPS.keys()
    grown = {name: size for name, size in after.items() if size > before.get(name, 0)}
    assert all(size <= CAPS.get(name, 0) for name, size in grown.items()), grown
    # The queue itself, every lane and hold, every body and event are gone.
    of_jobs = ("arq:job:", "imbi:lane:", "imbi:parked:", "imbi:event:", "arq:in-progress:")
    assert [name for name in found if name.startswith(of_jobs)] == []


@pytest.fixture
def desk(redis: Redis) -> Desk:
    return Desk(redis)


async def left(desk: Desk, key: str) -> int:
    return int(await desk.command("PTTL", key))


def about(milliseconds: int, longest: int) -> bool:
    """Set a moment ago."""
    return longest - 10_000 < milliseconds <= longest


async def test_each_key_that_ends_ends_when_the_table_says(desk: Desk) -> None:
    """A day for results and hashes, seven for a delivery's record, thirty for a lane's mark."""
    dead, good = await desk.line(2, projects=["p-1"])
    await desk.bury(await desk.claim_one())
    claimed = await desk.claim_one()
    assert about(await left(desk, f"arq:in-progress:{good}"), 15_000)
    assert about(await left(desk, "imbi:worker:w1"), 60_000)
    await desk.end(claimed, "retry")
    assert about(await left(desk, f"arq:retry:{good}"), DAY)
    await desk.make_due(good)
    await desk.succeed(await desk.claim_one())
    assert await left(desk, f"arq:retry:{good}") == -2
    assert about(await left(desk, f"arq:result:{good}"), DAY)
    assert about(await left(desk, f"arq:result:{dead}"), DAY)
    assert about(await left(desk, f"imbi:job:{good}"), DAY)
    assert await left(desk, f"arq:job:{good}") == -2
    assert about(await left(desk, "imbi:delivery:delivery-2"), 7 * DAY)
    assert about(await left(desk, "imbi:lane-moved:p-1/github"), 30 * DAY)
    # A dead letter has all it needs to run again, for as long as it is one.
    for key in (f"arq:job:{dead}", f"imbi:job:{dead}", "imbi:delivery:delivery-1"):
        assert await left(desk, key) == -1
    assert await desk.events("delivery-1") == 1


async def test_a_duplicate_does_not_renew_the_window_of_its_delivery(desk: Desk) -> None:
    """Seven days after the last need a delivery may come again, however often it came between."""
    await desk.job()
    await desk.succeed(await desk.claim_one())
    await desk.redis.pexpire("imbi:delivery:delivery-1", HOUR)
    for _ in range(3):
        again = await desk.enqueue()
        assert [job.status for job in again.jobs] == ["duplicate"]
    assert about(await left(desk, "imbi:delivery:delivery-1"), HOUR)


async def test_dead_letters_leave_faster_than_they_come(desk: Desk) -> None:
    """A full round of the janitor is followed by the next at once, and not 30 s later."""
    await desk.jobs(350)
    for job in [*(await desk.claim(jobs=350)).jobs]:
        await desk.bury(job)
    janitor = Janitor(desk.redis, queue="imbi:queue", worker="w1", retention=Retention(count=10))
    await janitor.tidy_all()
    assert await desk.redis.zcard("imbi:dead") == 10
    assert await left(desk, "imbi:janitor") > 25_000


async def test_the_bytes_of_dead_letters_are_those_of_their_events_too(desk: Desk) -> None:
    """An event of megabytes counts once for all dead letters of its delivery, while one is left."""
    event = {"type": "push", "payload": {"padding": "x" * 100_000}}
    await desk.enqueue(projects=("p-1", "p-2", "p-3"), event=event)
    jobs = (await desk.claim()).jobs

    async def bytes_of_dead() -> int:
        return int(await desk.redis.get("imbi:dead-bytes") or 0)

    await desk.bury(jobs[0])
    one = await bytes_of_dead()
    assert one > 100_000
    await desk.bury(jobs[1])
    assert 0 < await bytes_of_dead() - one < 2_000
    await desk.bury(jobs[2])
    await desk.replay(jobs[2].id)
    assert 0 < await bytes_of_dead() - one < 2_000
    trimmed, _ = await desk.tidy(Retention(count=1))
    assert trimmed == 1
    assert abs(await bytes_of_dead() - one) < 100
    trimmed, _ = await desk.tidy(Retention(size_bytes=50_000))
    assert trimmed == 1
    assert await bytes_of_dead() == 0


async def test_reviving_a_dead_letter_takes_its_event_off_the_bytes(desk: Desk) -> None:
    """The new event counts again only if the job dies once more."""
    old = {"type": "push", "payload": {"padding": "x" * 100_000}}
    await desk.enqueue(event=old)
    await desk.bury(await desk.claim_one())
    await desk.enqueue(event={"type": "push", "payload": {"padding": "y" * 50_000}})
    assert int(await desk.redis.get("imbi:dead-bytes") or 0) == 0
    await desk.bury(await desk.claim_one())
    assert 50_000 < int(await desk.redis.get("imbi:dead-bytes") or 0) < 60_000
