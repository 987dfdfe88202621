"""Each role does all of its work as the user that the file gives it, and is refused nothing."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job, JobStatus
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from factories import make_signer
from guard import Guard, password_of
from imbi_sdk.queue import (
    ActionQueue,
    OutcomeConsumer,
    arq_deserializer,
    arq_serializer,
    keys,
)
from imbi_worker.observability.queue_figures import read_figures
from imbi_worker.operations.checks import rights_finding
from imbi_worker.queue.control import Control, Mandate
from imbi_worker.queue.dead_letters import Replayed, discard, replay
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.janitor import Retention
from integration.engine import probe
from integration.engine.room import Room
from integration.gateway.gateway import Gateway
from integration.queue.desk import ACTOR, MANDATE, Desk
from integration.queue.invariants import broken
from waiting import until

ANN = Mandate("ann@example.org", "looked at it")
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _probe() -> Iterator[None]:
    with probe.installed():
        yield


@pytest.fixture
async def room(guard: Guard) -> AsyncIterator[Room]:
    """Enqueues as the gateway; its workers take their own address."""
    room = Room(guard.url("imbi-gateway"))
    yield room
    await room.redis.aclose()


@pytest.fixture
async def operator(guard: Guard) -> AsyncIterator[Redis]:
    async with guard.client("imbi-operator") as client:
        yield client


async def test_deliveries_run_to_every_end_with_each_part_as_its_own_user(
    guard: Guard, room: Room, operator: Redis
) -> None:
    """Success, skip, retry, rate limit, hold, cancel, death and replay; and the feed is read."""
    control = Control(operator, queue=keys.QUEUE)
    feed = OutcomeConsumer(room.redis, name="pod-1")
    await feed.register()
    await control.hold("handler:probe#once", None, ANN)
    async with room.worker(url=guard.url("imbi-worker")) as engine:
        good = await room.enqueue(
            {"label": "a"},
            {"label": "b", "does": "skip"},
            {"label": "c", "fails": 1},
            delivery="good",
        )
        bad = await room.enqueue({"label": "e", "does": "permanent"}, delivery="bad", project="p2")
        held = await room.enqueue(
            {"label": "f"}, delivery="held", project="p3", handler="probe#once"
        )
        (dead,) = await room.until_ended(bad)
        assert dead["state"] == "dead"
        again = await replay(
            operator, queue=keys.QUEUE, job=bad.jobs[0].id, actor="ann", reason="once more"
        )
        assert again == Replayed(bad.jobs[0].id, "replayed")
        await control.unhold("handler:probe#once", ANN)
        await room.until_ended(held)
        gone = await room.enqueue({"label": "g", "does": "wait"}, delivery="gone", project="p4")
        await until(lambda: "g" in probe.JOURNAL.of("start"))
        (asked,) = await control.cancel([gone.jobs[0].id], ANN, scope="test")
        assert asked.verdict == "asked"
        await room.until_ended(gone)
        ended = [job["state"] for job in await room.until_ended(good)]
        limited = await room.enqueue(
            {"does": "rate limit", "seconds": 60}, delivery="limited", project="p5"
        )

        await until(lambda: engine.endings.get("deferred", 0) == 1)
        (cancelled,) = await control.cancel([limited.jobs[0].id], ANN, scope="test")
        assert cancelled.verdict == "cancelled"
    assert sorted(ended) == ["skipped", "succeeded", "succeeded"]
    records = await feed.read(block=SECOND)
    assert {"good", "bad", "held", "gone", "limited"} == {record.delivery for record in records}
    await feed.acknowledge(records)
    assert await feed.unregister() == 0
    assert guard.refused() == []


@dataclass
class Office(Desk):
    """A desk with three clients: what a worker does goes through its own, the rest does not."""

    gateways: Redis | None = None
    operators: Redis | None = None

    @property
    def queue(self) -> ActionQueue:
        assert self.gateways is not None
        return ActionQueue(self.gateways, signer=make_signer(), lane=self.lane)

    @property
    def control(self) -> Control:
        assert self.operators is not None
        return Control(self.operators, queue=keys.QUEUE)

    async def replay(self, job: str, *, body: bytes = b"", reason: str = "mended") -> Replayed:
        assert self.operators is not None
        return await replay(
            self.operators, queue=keys.QUEUE, job=job, actor=ACTOR, reason=reason, body=body
        )


@pytest.fixture
async def office(guard: Guard, operator: Redis) -> AsyncIterator[Office]:
    async with guard.client("imbi-worker") as worker, guard.client("imbi-gateway") as gateway:
        yield Office(worker, gateways=gateway, operators=operator)
        assert guard.refused() == []
        async with guard.client("admin") as admin:
            assert await broken(admin) == []


async def test_a_job_dies_is_replayed_given_up_and_delivered_again(
    office: Office, operator: Redis
) -> None:
    """The last death goes by itself, after its time."""
    job = await office.job()
    await office.bury(await office.claim_one())
    assert (await office.replay(job)).result == "replayed"
    await office.bury(await office.claim_one())
    assert (await office.enqueue()).jobs[0].status == "revived"
    await office.bury(await office.claim_one())
    (given_up,) = await discard(
        operator, queue=keys.QUEUE, jobs=[job], mandate=MANDATE, scope="test"
    )
    assert given_up.result == "discarded"
    assert (await office.enqueue()).jobs[0].status == "revived"
    await office.bury(await office.claim_one())
    assert await office.tidy(Retention(count=0)) == (1, [])
    assert (await office.enqueue()).jobs[0].status == "revived"


async def test_lanes_holds_retries_and_crashes_go_on(office: Office) -> None:
    """Whatever a worker meets with, and what an operator does about it."""
    first, *_ = await office.line(3)
    await office.end(await office.claim_one(), "retry")
    assert (await office.run_now(first)).verdict == "due"
    job = await office.claim_one()
    await office.rate_limit(job, "handler:github#sync", seconds=60)
    await office.end_hold("handler:github#sync")
    job = await office.claim_one()
    assert await office.renew(job) == [1]
    for _ in range(2):
        await office.crash(first)
        job = await office.claim_one()
    assert await office.note_alone(job) == 1
    await office.succeed(job)
    await office.pause("queue")
    assert await office.claimed_ids() == []
    assert (await office.unhold("queue")).verdict == "removed"
    (one,) = (await office.claim()).jobs
    assert await office.end(one, "abandoned") == "ok"
    await office.succeed(one)
    (last,) = (await office.claim()).jobs
    assert await office.end(last, "released", counts=False) == "ok"


async def test_the_activity_feed_is_read_by_the_gateway(guard: Guard, office: Office) -> None:
    """Rows of jobs that ended, of a repeated delivery, and beyond what is kept."""
    async with guard.client("imbi-gateway") as client:
        gateway = Gateway(client)
        await gateway.consumer().register()
        await gateway.hand_over()
        await office.succeed(await office.claim_one())
        assert [record.delivery for record in await gateway.told()] == ["d-1"]
        await gateway.hand_over(row="row-2")
        assert [record.row()["id"] for record in await gateway.told()] == ["row-1", "row-2"]
        await gateway.consumer().unregister()


async def test_a_worker_sees_the_queue_for_its_metrics_and_for_check(guard: Guard) -> None:
    """Not only its own jobs."""
    async with guard.client("imbi-worker") as client:
        inspection = Inspection(client, queue=keys.QUEUE)
        await read_figures(inspection)
        assert (await rights_finding(inspection)).status == "ok"
    assert guard.refused() == []


async def pool(guard: Guard, user: str) -> ArqRedis:
    path = guard.server.url.removeprefix("unix://")
    settings = RedisSettings(
        unix_socket_path=path, username=user, password=password_of(user), conn_retries=0
    )
    return await create_pool(
        settings,
        job_serializer=arq_serializer,
        job_deserializer=arq_deserializer,
        default_queue_name=keys.QUEUE,
    )


async def put(client: ArqRedis, **config: object) -> Job:
    job = await client.enqueue_job(
        "probe#act",
        v=1,
        context={"project_id": "p1", "project_slug": "p1", "org_slug": "o"},
        rule={"handler": "probe#act", "ordinal": 0, "config": json.dumps(config)},
        event={"type": "push", "payload": {}},
    )
    assert job is not None
    return job


async def test_a_stock_client_of_arq_enqueues_asks_and_aborts(guard: Guard, room: Room) -> None:
    """As its own user, which changes nothing else."""
    client = await pool(guard, "arq-client")
    try:
        job = await put(client)
        assert await job.status() is JobStatus.queued
        assert await job.info() is not None
        assert len(await client.queued_jobs()) == 1
        async with room.worker(url=guard.url("imbi-worker"), accepts_unsigned=True):
            assert await job.result(timeout=10, poll_delay=0.02) is None
            waiting = await put(client, does="wait")
            await until(lambda: len(probe.JOURNAL.of("start")) == 2)
            assert await waiting.abort(timeout=10, poll_delay=0.02)
    finally:
        await client.aclose()
    assert guard.refused() == []


async def test_a_dashboard_made_for_arq_reads_and_changes_nothing(guard: Guard, room: Room) -> None:
    """All results by SCAN, every body, the queue and the health lines."""
    client = await pool(guard, "arq-reader")
    try:
        async with room.worker(url=guard.url("imbi-worker")) as engine:
            done = await room.enqueue({"label": "a"})
            await room.until_ended(done)
            await until(lambda: engine.endings.get("succeeded", 0) == 1)
            (result,) = [key async for key in client.scan_iter("arq:result:*")]
            assert await client.get(result)
            assert [key async for key in client.scan_iter("imbi:queue:health-check:*")]
        await room.enqueue({"label": "b"}, delivery="d2")
        assert len(await client.queued_jobs()) == 1
        assert await client.info()
        assert guard.refused() == []
        with pytest.raises(NoPermissionError):
            await client.delete(f"{keys.BODY}{done.jobs[0].id}")
        with pytest.raises(NoPermissionError):
            await client.hgetall(f"{keys.JOB}{done.jobs[0].id}")
    finally:
        await client.aclose()
