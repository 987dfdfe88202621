"""What every ``DeliveryQueue`` keeps: the real one on Redis, and the fake one."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest
from redis.asyncio import Redis

from factories import WEBHOOK, make_event, make_rule, make_rules, make_signer, make_targets
from imbi_sdk.queue import (
    ActionJob,
    ActionQueue,
    Enqueued,
    EnqueueStatus,
    InvalidDelivery,
    QueueError,
    job_id,
    keys,
)
from imbi_sdk.queue.json_text import load
from imbi_sdk.queue.producer import JOBS_PER_CALL
from imbi_sdk.queue.wire import decode
from imbi_sdk.testing.queue import DeliveryQueue, Ending, FakeQueue
from imbi_worker.embedded import Valkey
from integration.queue.desk import Desk, ending

ACCEPTED, DUPLICATE, REVIVED = EnqueueStatus


class Shop(Protocol):
    """A queue with someone who works off its jobs."""

    queue: DeliveryQueue

    async def end(self, job: str, state: Ending) -> None: ...

    async def jobs(self) -> list[ActionJob]: ...

    async def event(self, job: ActionJob) -> dict[str, Any]: ...


class FakeShop:
    def __init__(self) -> None:
        self.queue = FakeQueue(signer=make_signer())

    async def end(self, job: str, state: Ending) -> None:
        self.queue.end(job, state)

    async def jobs(self) -> list[ActionJob]:
        return list(self.queue.jobs)

    async def event(self, job: ActionJob) -> dict[str, Any]:
        return self.queue.event(job)


class RedisShop:
    """Ends a job as a worker does: claimed, then finished."""

    def __init__(self, redis: Redis) -> None:
        self.desk = Desk(redis)
        self.queue = ActionQueue(redis, signer=make_signer())

    async def end(self, job: str, state: Ending) -> None:
        claimed = {one.id: one for one in (await self.desk.claim()).jobs}
        facts = {"status": "failed", "reason": "gone"} if state == "dead" else {"status": state}
        assert await self.desk.finish(ending(claimed[job], state, **facts)) == ["ok"]

    async def jobs(self) -> list[ActionJob]:
        found = [key.decode() for key in await self.desk.redis.keys(f"{keys.JOB}*")]
        ids = [key.removeprefix(keys.JOB) for key in found]
        seqs = {job: facts for job in ids if (facts := await self.desk.hash(job))}
        waiting = [job for job in ids if seqs[job]["state"] in {"waiting", "running"}]
        waiting.sort(key=lambda job: int(seqs[job]["seq"]))
        return [await self._job(job) for job in waiting]

    async def event(self, job: ActionJob) -> dict[str, Any]:
        body = await self.desk.command("HGET", f"{keys.EVENT}{job.delivery}", job.event_ref or "")
        return load(body)

    async def _job(self, job: str) -> ActionJob:
        body = await self.desk.redis.get(f"{keys.BODY}{job}")
        assert body is not None
        return decode(job, body).job


@pytest.fixture(params=["redis", "fake"])
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    if request.param == "fake":
        yield FakeShop()
        return
    async with Redis.from_url(request.getfixturevalue("redis_url")) as redis:
        yield RedisShop(redis)


async def enqueue(
    shop: Shop,
    *handlers: str,
    projects: tuple[str, ...] = ("p-1",),
    delivery: str = "delivery-1",
    event: dict[str, Any] | None = None,
    **options: Any,
) -> Enqueued:
    return await shop.queue.enqueue_delivery(
        delivery=delivery,
        webhook_id=WEBHOOK,
        event=make_event() if event is None else event,
        rules=make_rules(*handlers or ("github#sync",)),
        targets=make_targets(*projects),
        **options,
    )


def statuses(enqueued: Enqueued) -> list[EnqueueStatus]:
    return [job.status for job in enqueued.jobs]


async def test_each_rule_gives_each_project_a_job(shop: Shop) -> None:
    """Projects one after the other, rules by ordinal, ids from the facts."""
    enqueued = await enqueue(shop, "github#release", "github#deploy", projects=("p-1", "p-2"))
    assert [(job.project_id, job.handler, job.id) for job in enqueued.jobs] == [
        (project, handler, job_id(WEBHOOK, "delivery-1", project, handler, 0))
        for project in ("p-1", "p-2")
        for handler in ("github#release", "github#deploy")
    ]
    assert statuses(enqueued) == [ACCEPTED] * 4
    assert (enqueued.delivery, enqueued.calls) == ("delivery-1", 1)
    assert [job.id for job in await shop.jobs()] == [job.id for job in enqueued.jobs]


async def test_a_job_is_whole(shop: Shop) -> None:
    """Everything a worker has to know, with the event apart."""
    event = make_event(payload={"ref": "main"})
    await enqueue(shop, event=event, plugin_ids={"github": "i1"}, traceparent="00-1-2-01")
    (job,) = await shop.jobs()
    assert (job.handler, job.rule.handler, job.rule.config) == ("github#sync", "github#sync", "{}")
    assert (job.plugin_id, job.traceparent) == ("i1", "00-1-2-01")
    assert job.external_identifier == "external-p-1"
    assert job.context.project_slug == "slug-of-p-1"
    assert job.sig
    assert await shop.event(job) == event


async def test_a_waiting_job_has_no_second(shop: Shop) -> None:
    """A redelivery of what is in hand is dropped; a new rule of it is not."""
    await enqueue(shop, "github#release")
    again = await enqueue(shop, "github#release", "github#deploy")
    assert statuses(again) == [DUPLICATE, ACCEPTED]
    assert len(await shop.jobs()) == 2


@pytest.mark.parametrize("state", ["succeeded", "skipped"])
async def test_what_has_succeeded_is_not_done_again(shop: Shop, state: Ending) -> None:
    """However often it is delivered."""
    enqueued = await enqueue(shop)
    await shop.end(enqueued.jobs[0].id, state)
    assert statuses(await enqueue(shop)) == [DUPLICATE]
    assert await shop.jobs() == []


@pytest.mark.parametrize("state", ["dead", "cancelled"])
async def test_what_has_failed_is_revived_with_the_new_body(shop: Shop, state: Ending) -> None:
    """Someone has pressed *Redeliver*."""
    enqueued = await enqueue(shop)
    await shop.end(enqueued.jobs[0].id, state)
    changed = make_event(payload={"second": True})
    revived = await enqueue(shop, event=changed)
    assert statuses(revived) == [REVIVED]
    assert revived.jobs[0].id == enqueued.jobs[0].id
    (job,) = await shop.jobs()
    assert await shop.event(job) == changed
    assert statuses(await enqueue(shop, event=changed)) == [DUPLICATE]


async def test_a_repeated_call_has_the_first_answer(shop: Shop) -> None:
    """After a lost reply nobody knows whether the first one arrived."""
    first = await enqueue(shop, nonce="n-1")
    assert await enqueue(shop, nonce="n-1") == first
    assert statuses(await enqueue(shop, nonce="n-2")) == [DUPLICATE]
    assert statuses(await enqueue(shop, nonce="n-1", delivery="delivery-2")) == [ACCEPTED]


async def test_a_repeated_call_must_be_the_same(shop: Shop) -> None:
    """Its answers would belong to other jobs."""
    await enqueue(shop, nonce="n-1")
    with pytest.raises(QueueError, match="1 jobs and not 2"):
        await enqueue(shop, "github#sync", "github#more", nonce="n-1")
    assert len(await shop.jobs()) == 1


async def test_rules_of_one_handler_are_jobs_of_their_own(shop: Shop) -> None:
    """Told apart by their occurrence, in the order of their ordinals."""
    enqueued = await shop.queue.enqueue_delivery(
        delivery="delivery-1",
        webhook_id=WEBHOOK,
        event=make_event(),
        rules=[make_rule(ordinal=2, config='{"n":2}'), make_rule(ordinal=1, config='{"n":1}')],
        targets=make_targets("p-1"),
    )
    assert statuses(enqueued) == [ACCEPTED, ACCEPTED]
    assert [job.rule.config for job in await shop.jobs()] == ['{"n":1}', '{"n":2}']


async def test_another_delivery_is_another_job(shop: Shop) -> None:
    """The same rule and project, and nothing in common."""
    await enqueue(shop)
    assert statuses(await enqueue(shop, delivery="delivery-2")) == [ACCEPTED]


async def test_many_jobs_go_in_steps(shop: Shop) -> None:
    """Which the answer says."""
    projects = tuple(f"p-{number}" for number in range(JOBS_PER_CALL + 1))
    enqueued = await enqueue(shop, projects=projects)
    assert enqueued.calls == 2
    assert enqueued.count(ACCEPTED) == len(projects)


async def test_a_delivery_without_rules_or_projects_gives_no_job(shop: Shop) -> None:
    """And is no error."""
    assert await enqueue(shop, projects=()) == Enqueued("delivery-1", (), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"delivery": ""},
        {"delivery": "a\nb"},
        {"event": {"payload": float("nan")}},
        {"event": {"payload": b"canary-4f1d-do-not-leak"}},
        {"event": []},
        {"traceparent": 1},
    ],
)
async def test_what_is_wrong_is_refused_whole(
    shop: Shop, canary: str, wrong: dict[str, Any]
) -> None:
    """Before anything is written, without a word of the input."""
    with pytest.raises(InvalidDelivery) as refused:
        await enqueue(shop, **wrong)
    assert canary not in str(refused.value)
    assert await shop.jobs() == []


async def test_a_real_queue_out_of_reach_is_told_as_the_fake_tells_it(valkey: Valkey) -> None:
    """`QueueUnavailable`, a kind of `QueueError`: the gateway catches one class."""
    fake = FakeShop()
    fake.queue.go_down()
    async with Redis.from_url(valkey.url) as redis:
        shop = RedisShop(redis)
        valkey.stop()
        told = set()
        for one in (shop, fake):
            with pytest.raises(QueueError) as refused:
                await enqueue(one)
            told.add(type(refused.value))
    assert len(told) == 1
