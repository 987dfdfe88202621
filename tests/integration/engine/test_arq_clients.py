"""A stock arq client with our two serializers: enqueues, asks, and asks for cancels."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job, JobStatus, ResultNotFound
from probe import JOURNAL
from room import Room

from imbi_sdk.queue import ActionFailed, arq_deserializer, arq_serializer
from waiting import until


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[ArqRedis]:
    path = redis_url.removeprefix("unix://")
    pool = await create_pool(
        RedisSettings(unix_socket_path=path)
        if redis_url.startswith("unix://")
        else RedisSettings.from_dsn(redis_url),
        job_serializer=arq_serializer,
        job_deserializer=arq_deserializer,
        default_queue_name="imbi:queue",
    )
    yield pool
    await pool.aclose()


async def put(client: ArqRedis, config: dict[str, Any], **options: Any) -> Job:
    project = options.pop("project", "p1")
    job = await client.enqueue_job(
        "probe#act",
        **options,
        v=1,
        context={"project_id": project, "project_slug": project, "org_slug": "o"},
        rule={"handler": "probe#act", "ordinal": 0, "config": json.dumps(config)},
        event={"type": "push", "payload": {}},
    )
    assert job is not None
    return job


async def until_status(job: Job, status: JobStatus) -> None:
    async def has_status() -> bool:
        return await job.status() is status

    await until(has_status)


async def test_a_stock_client_enqueues_a_job_that_runs(room: Room, client: ArqRedis) -> None:
    job = await put(client, {"label": "a"})
    assert await job.status() is JobStatus.queued
    async with room.worker(accepts_unsigned=True):
        assert await job.result(timeout=10, poll_delay=0.02) is None
    assert await job.status() is JobStatus.complete
    info = await job.result_info()
    assert info is not None
    assert (info.function, info.success, info.args, info.job_try) == ("probe#act", True, [], 1)
    assert await room.redis.ttl(f"arq:job:{job.job_id}") == -2


async def test_an_unsigned_job_is_refused_where_that_was_not_allowed(
    room: Room, client: ArqRedis
) -> None:
    job = await put(client, {"label": "a"})
    async with room.worker():
        with pytest.raises(ActionFailed, match="not signed"):
            await job.result(timeout=10, poll_delay=0.02)
    assert JOURNAL.lines == []
    assert await room.state(job.job_id) == "dead"


async def test_info_and_status_of_every_stage(room: Room, client: ArqRedis) -> None:
    """Queued, running, waiting in its lane, retrying, finished and failed."""
    async with room.worker(accepts_unsigned=True):
        running = await put(client, {"label": "a", "does": "wait"})
        await until_status(running, JobStatus.in_progress)
        waiting = await put(client, {"label": "b", "does": "permanent"})
        await until_status(waiting, JobStatus.deferred)
        info = await waiting.info()
        assert info is not None
        assert (info.function, info.kwargs["context"]["project_id"]) == ("probe#act", "p1")
        JOURNAL.gate.set()
        await running.result(timeout=10, poll_delay=0.02)
        with pytest.raises(ActionFailed, match=r"permanent error: .*no such release"):
            await waiting.result(timeout=10, poll_delay=0.02)
        assert await waiting.status() is JobStatus.complete


async def test_a_retrying_job_looks_deferred(room: Room, client: ArqRedis) -> None:
    job = await put(client, {"label": "a", "does": "rate limit", "seconds": 60})
    async with room.worker(accepts_unsigned=True):
        await until_status(job, JobStatus.deferred)
        assert await job.abort(timeout=10, poll_delay=0.02) is True
    assert await room.state(job.job_id) == "cancelled"


async def test_abort_of_a_queued_job(room: Room, client: ArqRedis) -> None:
    """Even of one no worker has seen yet."""
    job = await put(client, {"label": "a"})
    aborting = asyncio.create_task(job.abort(timeout=10, poll_delay=0.02))

    async def is_marked() -> bool:
        return await client.zscore("arq:abort", job.job_id) is not None

    await until(is_marked)
    async with room.worker(accepts_unsigned=True):
        assert await aborting is True
    assert JOURNAL.lines == []
    assert await client.zcard("arq:abort") == 0


async def test_abort_of_a_running_job_stops_it_and_frees_its_lane(
    room: Room, client: ArqRedis
) -> None:
    async with room.worker(accepts_unsigned=True):
        job = await put(client, {"label": "a", "does": "wait"})
        await until_status(job, JobStatus.in_progress)
        behind = await put(client, {"label": "b"})
        await until_status(behind, JobStatus.deferred)
        assert await job.abort(timeout=10, poll_delay=0.02) is True
        await behind.result(timeout=10, poll_delay=0.02)
    assert JOURNAL.lines == [("start", "a"), ("start", "b"), ("end", "b")]
    with pytest.raises(asyncio.CancelledError):
        await job.result(timeout=1, poll_delay=0.02)


async def test_abort_of_a_job_that_waits_in_its_lane(room: Room, client: ArqRedis) -> None:
    """Its score is set back to 1 by arq, and still it does not run before its turn."""
    async with room.worker(accepts_unsigned=True):
        head = await put(client, {"label": "a", "does": "wait"})
        await until_status(head, JobStatus.in_progress)
        waiting = await put(client, {"label": "b"})
        await until_status(waiting, JobStatus.deferred)
        assert await waiting.abort(timeout=10, poll_delay=0.02) is True
        JOURNAL.gate.set()
        await head.result(timeout=10, poll_delay=0.02)
    assert JOURNAL.of("start") == ["a"]


async def test_abort_of_a_finished_job_leaves_no_mark_that_kills_a_later_one(
    room: Room, client: ArqRedis
) -> None:
    async with room.worker(accepts_unsigned=True):
        job = await put(client, {"label": "a"}, _job_id="same-id")
        await job.result(timeout=10, poll_delay=0.02)
        assert await job.abort(timeout=5, poll_delay=0.02) is False

        async def is_swept() -> bool:
            return await client.zcard("arq:abort") == 0

        await until(is_swept)
        unknown = Job("never-was", client, "imbi:queue", arq_deserializer)
        assert await unknown.abort(timeout=5, poll_delay=0.02) is False
        await until(is_swept)
        with pytest.raises(ResultNotFound):
            await unknown.result(timeout=1)


async def test_abort_marks_under_load_make_nothing_run_twice(room: Room, client: ArqRedis) -> None:
    """Arq sets the score of a deferred job to 1 and marks it only afterwards."""
    async with room.worker(accepts_unsigned=True, concurrency=20):
        jobs = [
            await put(client, {"label": str(n)}, project=f"p{n}", _defer_by=timedelta(seconds=5))
            for n in range(60)
        ]
        answers = await asyncio.gather(*(job.abort(timeout=15, poll_delay=0.05) for job in jobs))
    starts = JOURNAL.of("start")
    assert len(starts) == len(set(starts))
    assert len(starts) + sum(answers) == 60


async def test_a_pickle_is_buried_unread(room: Room, client: ArqRedis) -> None:
    async with create_plain(client) as plain:
        await plain.enqueue_job("probe#act", _job_id="pickled", _queue_name="imbi:queue")
    async with room.worker(accepts_unsigned=True):

        async def is_dead() -> bool:
            return await room.state("pickled") == "dead"

        await until(is_dead)
    job = await room.job("pickled")
    assert job["reason"] == "invalid job"
    assert "pickle" in job["error"]
    assert (await room.redis.get("arq:job:pickled"))[:1] == b"\x80"


class create_plain:  # noqa: N801 - reads as a call
    """The same connection under arq's default serializer."""

    def __init__(self, client: ArqRedis) -> None:
        self._client = ArqRedis(client.connection_pool)

    async def __aenter__(self) -> ArqRedis:
        return self._client

    async def __aexit__(self, *_: object) -> None:
        return None


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"\xff\xfenot json", "no JSON"), (b"[1]", "not an object"), (b'{"f":"a#b"}', "no function")],
)
async def test_garbage_is_buried_with_its_bytes(room: Room, body: bytes, reason: str) -> None:
    await room.redis.set("arq:job:odd", body, px=60_000)
    await room.redis.zadd("imbi:queue", {"odd": 1})
    async with room.worker(accepts_unsigned=True):

        async def is_dead() -> bool:
            return await room.state("odd") == "dead"

        await until(is_dead)
    assert reason in (await room.job("odd"))["error"]
    assert await room.redis.get("arq:job:odd") == body
    assert await room.redis.ttl("arq:job:odd") == -1


async def test_an_id_in_odd_bytes_stops_nobody(room: Room) -> None:
    await room.redis.set(b"arq:job:\xff\xfe", b"{}", px=60_000)
    await room.redis.zadd("imbi:queue", {b"\xff\xfe": 1})
    enqueued = await room.enqueue({"label": "a"})
    async with room.worker(accepts_unsigned=True):
        await room.until_ended(enqueued)

        async def is_dead() -> bool:
            return await room.redis.hget(b"imbi:job:\xff\xfe", "state") == b"dead"

        await until(is_dead)


async def test_a_foreign_function_is_parked_and_reported(room: Room, client: ArqRedis) -> None:
    job = await client.enqueue_job("send_mail", _job_id="mail")
    assert job is not None
    async with room.worker(accepts_unsigned=True):

        async def is_parked() -> bool:
            return await room.state("mail") == "parked"

        await until(is_parked)
    assert await client.zscore("imbi:parked:foreign", "mail") is not None
    assert await job.status() is JobStatus.deferred


async def test_a_newer_wire_version_waits_for_newer_workers(room: Room, client: ArqRedis) -> None:
    job = await client.enqueue_job("probe#act", _job_id="newer", v=2, whatever="it says")
    assert job is not None
    async with room.worker(accepts_unsigned=True):

        async def is_kept() -> bool:
            return await client.ttl("arq:job:newer") == -1

        await until(is_kept)
    assert await client.zscore("imbi:queue", "newer") is not None
    assert JOURNAL.lines == []
