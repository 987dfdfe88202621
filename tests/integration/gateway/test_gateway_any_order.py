"""Whatever happens in whatever order: each row is told, and nothing is kept for ever."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from gateway import Gateway, a_rule, an_event

from imbi_sdk.queue import OutcomeRecord
from imbi_worker.queue.claims import ClaimedJob
from integration.queue.desk import Desk

STEPS = 80
RULES = (a_rule("github#a", 1), a_rule("github#b", 2), a_rule("sonar#c", 3))


@dataclass
class Story:
    """Random steps of senders, workers, operators and the gateway's consumers."""

    gateway: Gateway
    desk: Desk
    chance: Random
    rows: dict[str, tuple[str, str]] = field(default_factory=dict)
    running: list[ClaimedJob] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    last: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    async def deliver(self) -> None:
        """A new delivery, or one of the few again, with any of its rules."""
        row = f"row-{len(self.rows)}"
        delivery = f"d-{self.chance.randrange(6)}"
        project = f"p-{self.chance.randrange(2)}"
        rules = [rule for rule in RULES if self.chance.random() < 0.7] or [RULES[0]]
        event = an_event(delivery, request=row)
        self.rows[row] = (delivery, project)
        await self.gateway.hand_over(*rules, row=row, project=project, event=event)

    async def claim(self) -> None:
        self.running += (await self.desk.claim(jobs=self.chance.randrange(1, 5))).jobs

    async def end(self) -> None:
        if self.running:
            job = self.running.pop(self.chance.randrange(len(self.running)))
            if self.chance.random() < 0.3:
                await self.desk.bury(job)
                self.dead.append(job.id)
            else:
                await self.desk.succeed(job)

    async def replay(self) -> None:
        if self.dead:
            await self.desk.replay(self.dead.pop(self.chance.randrange(len(self.dead))))

    async def cancel(self) -> None:
        if self.chance.random() < 0.3:
            for job in (await self.desk.redis.zrange("imbi:queue", 0, 0))[:1]:
                await self.desk.abort(job.decode())

    async def read(self) -> None:
        """One of two consumers reads; some of it is acknowledged, some after the next reading."""
        consumer = self.gateway.consumer(self.chance.choice(("c-1", "c-2")))
        records = await self.gateway.read(consumer._name)
        self._note(records)
        entries = {record.entry for record in records if self.chance.random() < 0.7}
        await consumer.acknowledge([one for one in records if one.entry in entries])

    async def finish(self) -> None:
        """Everything ends, and everything is read."""
        while True:
            for job in self.running:
                await self.desk.succeed(job)
            self.running = list((await self.desk.claim()).jobs)
            if not self.running:
                break
        for name in ("c-1", "c-2"):
            while records := await self.gateway.told(name):
                self._note(records)

    def _note(self, records: list[OutcomeRecord]) -> None:
        """What the table would hold: of each row the newest version."""
        for record in records:
            assert record.event_row is not None
            row = record.event_row.id
            assert self.rows[row] == (record.delivery, record.project_id)
            if record.version >= self.last.get(row, (0, []))[0]:
                statuses = [outcome.status for outcome in record.outcomes]
                self.last[row] = (record.version, statuses)


@pytest.mark.parametrize("seed", range(12))
async def test_every_row_is_told_and_nothing_is_kept(
    gateway: Gateway, desk: Desk, seed: int
) -> None:
    """Redeliveries, replays, cancels and two slow consumers; the invariants are looked at after."""
    await gateway.consumer("c-1").register()
    story = Story(gateway, desk, Random(seed))  # noqa: S311 - a story to tell again
    steps: list[Callable[[], Awaitable[None]]] = [
        story.deliver,
        story.claim,
        story.end,
        story.end,
        story.replay,
        story.cancel,
        story.read,
    ]
    for _ in range(STEPS):
        await story.chance.choice(steps)()
    await story.finish()
    assert story.last.keys() == story.rows.keys()
    assert all(statuses for _, statuses in story.last.values())
    needed = {(await desk.hash(job))["delivery"] for job in await dead_letters(desk)}
    assert await gateway.stored_events() == len(needed)


@pytest.mark.parametrize("seed", range(6))
async def test_a_feed_that_comes_and_goes_leaves_nothing_behind(
    gateway: Gateway, desk: Desk, seed: int
) -> None:
    """Rows of jobs that were enqueued under the feed and ended without one keep no event."""
    story = Story(gateway, desk, Random(seed))  # noqa: S311 - a story to tell again
    steps: list[Callable[[], Awaitable[None]]] = [
        story.deliver,
        story.claim,
        story.end,
        story.end,
        story.replay,
        gateway.consumer().register,
        lambda: forget(gateway),
    ]
    for _ in range(STEPS):
        await story.chance.choice(steps)()
    await forget(gateway)
    await story.finish()
    await forget(gateway)
    needed = {(await desk.hash(job))["delivery"] for job in await dead_letters(desk)}
    assert await gateway.stored_events() == len(needed)


async def forget(gateway: Gateway) -> None:
    await gateway.consumer().unregister()


async def dead_letters(desk: Desk) -> list[str]:
    return [job.decode() for job in await desk.redis.zrange("imbi:dead", 0, -1)]
