"""Endings on their way to Redis: two calls at once, and one that cannot be sent holds nobody up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from desk import PATIENCE, Desk, ending
from redis.asyncio import Redis

from chaos.proxy import Cut, Proxy
from imbi_sdk.queue import keys
from imbi_worker.embedded import Valkey
from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.finishing import FINISH, Finisher
from logged import json_log
from waiting import until

WHOLE = 48
"""What one call carries at most."""


@dataclass
class Writing:
    """A finisher at work, and what it told of each ending."""

    finisher: Finisher
    answers: list[tuple[str, str]] = field(default_factory=list)

    def add(self, jobs: Sequence[ClaimedJob]) -> None:
        for job in jobs:
            self.finisher.add(ending(job, "succeeded"))

    @property
    def sent(self) -> list[list[str]]:
        """The ids of each call that is on its way."""
        return [[one.id for one in batch] for batch in self.finisher._sent]

    @property
    def unwritten(self) -> list[str]:
        return [one.id for one in self.finisher.unwritten]


@asynccontextmanager
async def writing(redis: Redis) -> AsyncIterator[Writing]:
    finisher = Finisher(
        redis,
        queue=keys.QUEUE,
        patience=PATIENCE,
        on_settled=lambda ended, reply: work.answers.append((ended.id, reply)),
    )
    work = Writing(finisher)
    async with running(finisher):
        yield work


@asynccontextmanager
async def running(finisher: Finisher) -> AsyncIterator[None]:
    run = asyncio.create_task(finisher.run())
    try:
        yield
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run


async def claimed(desk: Desk, count: int) -> Sequence[ClaimedJob]:
    await desk.jobs(count)
    return (await desk.claim(jobs=count)).jobs


async def keep_calls(desk: Desk) -> None:
    """Redis takes calls, and carries none out until `let_go`."""
    await desk.command("CLIENT", "PAUSE", 60_000, "WRITE")


async def let_go(desk: Desk) -> None:
    await desk.command("CLIENT", "UNPAUSE")


async def test_what_ends_while_a_call_is_away_goes_in_a_second_one(desk: Desk) -> None:
    """Far from Redis, its work and the way there overlap; there is no third call."""
    jobs = await claimed(desk, 2 * WHOLE + 10)
    ids = [job.id for job in jobs]
    await keep_calls(desk)
    async with writing(desk.redis) as work:
        work.add(jobs)
        await until(lambda: len(work.sent) == 2)
        assert work.sent == [ids[:WHOLE], ids[WHOLE : 2 * WHOLE]]
        assert work.unwritten == ids
        await let_go(desk)
        await asyncio.wait_for(work.finisher.drained(), 30)
        assert work.unwritten == []
    assert sorted(work.answers) == sorted((id_, "ok") for id_ in ids)
    assert {await desk.state(id_) for id_ in ids} == {"succeeded"}


async def test_less_than_a_whole_call_waits_for_the_answer_of_the_first(desk: Desk) -> None:
    """Small calls cost as much as large ones: what ends meanwhile shares the next."""
    first, *others, last = await claimed(desk, WHOLE + 1)
    await keep_calls(desk)
    async with writing(desk.redis) as work:
        work.add([first])
        await until(lambda: work.sent == [[first.id]])
        work.add(others)
        assert work.finisher._next_batch() == ()
        work.add([last])
        await until(lambda: len(work.sent) == 2)
        await let_go(desk)
        await asyncio.wait_for(work.finisher.drained(), 30)
    assert len(work.answers) == WHOLE + 1


async def test_near_redis_one_call_is_on_its_way_at_a_time(desk: Desk) -> None:
    """Two would only divide what one of them carries."""
    early, first, *others = await claimed(desk, WHOLE + 3)
    async with writing(desk.redis) as work:

        async def has_been_quick() -> bool:
            work.add([early])  # after its first end it is lost, and as quick
            await work.finisher.drained()
            return work.finisher._shortest < 0.001

        await until(has_been_quick)
        await keep_calls(desk)
        work.add([first])
        await until(lambda: work.sent == [[first.id]])
        work.add(others)
        assert work.finisher._next_batch() == ()
        await let_go(desk)
        await asyncio.wait_for(work.finisher.drained(), 30)
        assert work.unwritten == []
    assert {await desk.state(job.id) for job in (first, *others)} == {"succeeded"}


async def test_two_endings_of_one_job_are_never_on_their_way_at_once(desk: Desk) -> None:
    """Calls may be carried out in any order; the job's own order stands."""
    first, *others = await claimed(desk, WHOLE + 1)
    await keep_calls(desk)
    async with writing(desk.redis) as work:
        work.finisher.add(ending(first, "abandoned"))
        await until(lambda: work.sent == [[first.id]])
        work.finisher.add(ending(first, "succeeded", counts=False))
        work.add(others)
        await until(lambda: len(work.sent) == 2)
        assert work.sent[1] == [job.id for job in others]
        assert work.unwritten[-1] == first.id
        await let_go(desk)
        await asyncio.wait_for(work.finisher.drained(), 30)
    assert [reply for id_, reply in work.answers if id_ == first.id] == ["ok", "ok"]
    assert await desk.state(first.id) == "succeeded"
    assert (await desk.hash(first.id))["attempts"] == "1"


async def test_a_finisher_that_is_stopped_keeps_what_was_on_its_way(desk: Desk) -> None:
    """A defect ends a call in the middle of it: begun anew, it writes what was in both."""
    jobs = await claimed(desk, 2 * WHOLE + 10)
    await keep_calls(desk)
    async with writing(desk.redis) as work:
        work.add(jobs)
        await until(lambda: len(work.sent) == 2)
    assert work.sent == []
    assert sorted(work.unwritten) == sorted(job.id for job in jobs)
    await let_go(desk)
    async with running(work.finisher):
        await asyncio.wait_for(work.finisher.drained(), 30)
    assert len(work.answers) == len(jobs)
    assert {await desk.state(job.id) for job in jobs} == {"succeeded"}


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_calls_that_are_cut_are_repeated_beside_each_other(
    own_desk: Desk, valkey: Valkey, tmp_path: Path, moment: Any
) -> None:
    """Each is repeated until it is answered, whether Redis has carried it out or not."""
    cuts: list[str] = []

    def cut_again(moment_: str) -> None:
        cuts.append(moment_)
        if len(cuts) < 4:
            proxy.cut(Cut(moment, 0.0, FINISH.sha.encode()))

    jobs = await claimed(own_desk, 2 * WHOLE + 10)
    proxy = Proxy(Path(valkey.url.removeprefix("unix://")), tmp_path / "p.sock", cut_again)
    await proxy.start()
    try:
        await FINISH(own_desk.redis, [keys.QUEUE], [keys.LAYOUT, 0])  # Redis knows the script
        async with Redis.from_url(proxy.url) as redis, writing(redis) as work:
            proxy.cut(Cut(moment, 0.0, FINISH.sha.encode()))
            work.add(jobs)
            await asyncio.wait_for(work.finisher.drained(), 30)
    finally:
        await proxy.stop()
    assert len(cuts) == 4
    answered = {reply for _, reply in work.answers}
    assert answered <= ({"ok"} if moment == "before" else {"ok", "repeated"})
    assert sorted(id_ for id_, _ in work.answers) == sorted(job.id for job in jobs)
    assert {await own_desk.state(job.id) for job in jobs} == {"succeeded"}


async def test_an_ending_that_cannot_be_sent_holds_no_other_up(desk: Desk) -> None:
    """Its slot is free, and its job runs again when the lease is over; the others are written."""
    await desk.jobs(3)
    first, bad, last = (await desk.claim()).jobs
    no_text: Any = object()
    async with writing(desk.redis) as work:
        work.add([first])
        work.finisher.add(ending(bad, "succeeded")._replace(status=no_text))
        work.add([last])
        await asyncio.wait_for(work.finisher.drained(), 30)
    assert work.answers == [(first.id, "ok"), (bad.id, "lost"), (last.id, "ok")]
    states = [(await desk.hash(job.id))["state"] for job in (first, bad, last)]
    assert states == ["succeeded", "running", "succeeded"]


async def test_an_ending_that_redis_refuses_holds_no_other_up_and_is_not_forgotten(
    desk: Desk,
) -> None:
    """It is told once, comes again behind the others, and is written when Redis takes it."""
    await desk.jobs(4)
    bad, *others, late = (await desk.claim()).jobs
    # Read only for a retry beyond the patience of its lane.
    await desk.redis.set("imbi:served", "somebody else's")
    beyond = int((PATIENCE * 2).total_seconds() * 1000)

    async def refusals() -> int:
        stats = await desk.redis.info("errorstats")
        return int(stats["errorstat_WRONGTYPE"]["count"])

    async def refused_again() -> bool:
        return await refusals() > so_far

    with json_log() as log:
        async with writing(desk.redis) as work:
            work.finisher.add(ending(bad, "retry", wait_ms=beyond))
            for job in others:
                work.finisher.add(ending(job, "skipped"))
            await until(lambda: len(work.answers) == len(others))
            assert work.unwritten == [bad.id]
            work.finisher.add(ending(late, "skipped"))
            await until(lambda: len(work.answers) == len(others) + 1)
            so_far = await refusals()
            await until(refused_again)
            await desk.redis.delete("imbi:served")
            await asyncio.wait_for(work.finisher.drained(), 30)
            assert work.unwritten == []
    assert log.getvalue().count("finish.refused") == 1
    assert "WRONGTYPE" in log.getvalue()
    assert work.answers[-1] == (bad.id, "ok")
    assert await desk.state(bad.id) == "waiting"
    assert {await desk.state(job.id) for job in (*others, late)} == {"skipped"}
