"""A worker process that stood still while the world went on."""

import asyncio
import json
import signal

from stage import Stage, WorkerProcess

from imbi_sdk.queue import Enqueued
from waiting import until


def freeze(worker: WorkerProcess) -> None:
    worker.process.send_signal(signal.SIGSTOP)


def thaw(worker: WorkerProcess) -> None:
    worker.process.send_signal(signal.SIGCONT)


async def until_expired(stage: Stage, enqueued: Enqueued) -> None:
    """Redis' clock has passed the lease of the first job by as much again."""
    ends = int((await stage.job(enqueued.jobs[0].id))["lease_until"])

    async def is_over() -> bool:
        seconds, micros = await stage.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000 > ends + 1000

    await until(is_over)


async def test_a_frozen_worker_that_was_replaced_is_fenced_off_when_it_wakes(stage: Stage) -> None:
    """Its action is cancelled, the other one's run counts, the lane keeps its order."""
    pair = await asyncio.gather(stage.worker(lease="1s"), stage.worker(lease="1s"))
    enqueued = await stage.enqueue(
        ("demo#work", {"label": "first", "seconds": 5}), ("demo#work", {"label": "second"})
    )
    id_ = enqueued.jobs[0].id
    await until(lambda: stage.work("first") == ["start"])
    holder = (await stage.job(id_))["worker"]
    frozen, other = sorted(pair, key=lambda worker: f"-{worker.pid}-" not in holder)
    freeze(frozen)
    await until(lambda: stage.work("first") == ["start", "start"])
    held = await stage.job(id_)
    assert f"-{other.pid}-" in held["worker"]
    thaw(frozen)
    await until(lambda: "job.lease_lost" in frozen.log())
    job = await stage.job(id_)
    assert (job["state"], job["token"]) == ("running", held["token"])
    assert stage.work("second") == []
    await stage.until_state(enqueued, "succeeded")
    assert stage.work("first") == ["start", "start", "end"]
    assert stage.work("second") == ["start", "end"]
    job = await stage.job(id_)
    crash = json.loads(job["attempt:1.1"])
    assert (crash["outcome"], job["attempts"]) == ("crashed", "2")
    assert f"-{frozen.pid}-" in crash["worker"]
    assert f"-{other.pid}-" in job["worker"]


async def test_an_end_that_comes_with_the_waking_does_not_count_either(stage: Stage) -> None:
    """The frozen action is over at once when its process wakes; its word is stale."""
    frozen = await stage.worker(lease="1s")
    enqueued = await stage.enqueue(
        ("demo#work", {"label": "first", "seconds": 2}), ("demo#work", {"label": "second"})
    )
    await until(lambda: stage.work("first") == ["start"])
    freeze(frozen)
    await until_expired(stage, enqueued)
    other = await stage.worker(lease="1s")
    await until(lambda: stage.work("first") == ["start", "start"])
    thaw(frozen)
    await until(lambda: "job.lease_lost" in frozen.log())
    await stage.until_state(enqueued, "succeeded")
    job = await stage.job(enqueued.jobs[0].id)
    assert job["attempts"] == "2"
    assert f"-{other.pid}-" in job["worker"]
    assert stage.work("second") == ["start", "end"]
    sent = [(r.body["label"], r.body["phase"]) for r in stage.api.requests if "label" in r.body]
    assert sent[-2:] == [("second", "start"), ("second", "end")]


async def test_a_frozen_worker_that_nobody_replaced_goes_on_as_if_nothing_had_been(
    stage: Stage,
) -> None:
    """Awake again it renews before it claims, so it does not take its own job for crashed."""
    frozen = await stage.worker(lease="1s")
    enqueued = await stage.enqueue(
        ("demo#work", {"label": "first", "seconds": 3}),
        ("demo#work", {"label": "second"}),
        projects=("p0", "p1", "p2"),
    )
    await until(lambda: stage.work("first") == ["start"] * 3)
    freeze(frozen)
    await until_expired(stage, enqueued)
    thaw(frozen)
    await stage.until_state(enqueued, "succeeded")
    for job in enqueued.jobs:
        facts = await stage.job(job.id)
        assert (facts["attempts"], facts.get("crashes")) == ("1", None)
    assert sorted(stage.work("first")) == ["end"] * 3 + ["start"] * 3
