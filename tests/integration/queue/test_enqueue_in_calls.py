"""A delivery of many jobs goes in several calls, and its event with the first one only."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from desk import Desk
from redis.exceptions import ConnectionError as RedisConnectionError

from factories import WEBHOOK, make_context, make_event, make_rule, make_signer, make_targets
from imbi_sdk.queue import ActionQueue, Enqueued, EnqueueStatus, producer
from imbi_sdk.queue.delivery import encode_event
from imbi_sdk.queue.scripts import Executes

EVENT: Final = encode_event(make_event())
PROJECTS: Final = ("p-1", "p-2", "p-3", "p-4", "p-5")
# Among the words of a call: EVALSHA, SHA, 1, queue, layout, delivery, nonce, digest, event.
_EVENT: Final = 8


async def nothing() -> None:
    """Happens between two calls."""


@dataclass
class Line:
    """A connection that writes down which events it carries, and can lose replies."""

    redis: Executes
    between: Callable[[], Awaitable[None]] = nothing
    loses: set[int] = field(default_factory=set)
    carried: list[bytes] = field(default_factory=list)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.carried:
            await self.between()
        reply = await self.redis.execute_command(*args, **options)
        self.carried.append(args[_EVENT])
        if len(self.carried) in self.loses:
            raise RedisConnectionError("the reply is lost")
        return reply


@pytest.fixture(autouse=True)
async def calls_of_two(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two jobs a call; Redis knows the script, so that each call is one command."""
    monkeypatch.setattr(producer, "JOBS_PER_CALL", 2)
    await desk.enqueue(delivery="before")
    for job in (await desk.claim()).jobs:
        await desk.succeed(job)


async def enqueue(line: Line, nonce: str | None = None) -> Enqueued:
    return await ActionQueue(line, signer=make_signer()).enqueue_delivery(
        delivery="delivery-1",
        webhook_id=WEBHOOK,
        event=make_event(),
        rules=[make_rule()],
        targets=make_targets(*PROJECTS),
        nonce=nonce,
    )


async def events_of(desk: Desk) -> list[bytes]:
    """What each of five jobs finds as its event when it runs."""
    jobs = (await desk.claim()).jobs
    assert len(jobs) == len(PROJECTS)
    for job in jobs:
        await desk.succeed(job)
    assert await desk.events() == 0
    return [job.event for job in jobs]


async def test_the_event_goes_with_the_first_call_only(desk: Desk) -> None:
    """And every job finds it; it goes with the last of them."""
    line = Line(desk.redis)
    enqueued = await enqueue(line)
    assert enqueued.calls == 3
    assert enqueued.count(EnqueueStatus.ACCEPTED) == len(PROJECTS)
    assert line.carried == [EVENT, b"", b""]
    assert await events_of(desk) == [EVENT] * len(PROJECTS)


async def test_an_event_that_went_between_two_calls_is_sent_again(desk: Desk) -> None:
    """The first call's jobs were fast; the others find the event all the same."""

    async def work_off() -> None:
        for job in (await desk.claim()).jobs:
            await desk.succeed(job)

    line = Line(desk.redis, between=work_off)
    assert (await enqueue(line)).count(EnqueueStatus.ACCEPTED) == len(PROJECTS)
    assert line.carried == [EVENT, EVENT, EVENT]
    (last,) = (await desk.claim()).jobs
    assert last.event == EVENT
    await desk.succeed(last)
    assert await desk.events() == 0


async def test_duplicates_in_the_first_call_keep_no_event_from_the_second(desk: Desk) -> None:
    """What has succeeded needs none, so that none is stored until a new job comes."""
    await desk.enqueue(projects=PROJECTS[:2])
    for job in (await desk.claim()).jobs:
        await desk.succeed(job)
    line = Line(desk.redis)
    enqueued = await enqueue(line)
    assert [job.status.value[0] for job in enqueued.jobs] == ["d", "d", "a", "a", "a"]
    assert line.carried == [EVENT, EVENT, b""]
    assert [job.event for job in (await desk.claim()).jobs] == [EVENT] * 3


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_lost_reply_changes_nothing(desk: Desk, lost: int) -> None:
    """Whichever call it was of, with the event or without."""
    line = Line(desk.redis, loses={lost})
    assert (await enqueue(line)).count(EnqueueStatus.ACCEPTED) == len(PROJECTS)
    assert len(line.carried) == 4
    assert line.carried.count(EVENT) == (2 if lost == 1 else 1)
    assert await events_of(desk) == [EVENT] * len(PROJECTS)


async def test_a_repeat_completes_what_broke_off(desk: Desk) -> None:
    """The first call answers from memory, its jobs have ended; the others are enqueued."""
    line = Line(desk.redis, loses={2, 3, 4, 5})
    with pytest.raises(producer.QueueError):
        await enqueue(line, "n-1")
    for job in (await desk.claim()).jobs:
        await desk.succeed(job)
    again = Line(desk.redis)
    enqueued = await enqueue(again, "n-1")
    assert enqueued.count(EnqueueStatus.ACCEPTED) == len(PROJECTS)
    assert again.carried == [EVENT, b"", EVENT]
    (last,) = (await desk.claim()).jobs
    assert last.event == EVENT


async def test_a_call_with_an_activity_row_always_carries_the_event(desk: Desk) -> None:
    """Its row may push out an older one, which held the same event."""
    line = Line(desk.redis)
    await ActionQueue(line, signer=make_signer()).enqueue_handlers(
        **make_context("p-1").model_dump(include={"org_slug", "project_id", "project_slug"}),
        team_slug=None,
        service_slug=None,
        service_endpoint=None,
        external_identifier="",
        event=make_event(),
        user_id=None,
        rules=[make_rule(handler=f"github#a{number}") for number in range(3)],
        plugins_by_slug={},
        outcomes=[],
        webhook_id=WEBHOOK,
        event_row={"id": "row-1", "recorded_at": "2026-01-01T12:00:00Z"},
    )
    assert line.carried == [EVENT, EVENT]
