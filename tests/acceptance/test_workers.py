"""`imbi-worker run` as its operators know it: several pods, kills, drains, outages."""

import asyncio
import json
import time

import pytest
from stage import SECRETS, Stage

from imbi_worker.embedded import Valkey
from waiting import until


async def test_two_workers_share_the_work(stage: Stage) -> None:
    first, second = await asyncio.gather(
        stage.worker(concurrency="4"), stage.worker(concurrency="4")
    )
    deliveries = [
        await stage.enqueue(
            ("demo#work", {"label": f"job {n}", "seconds": 0.2}),
            delivery=f"d{n}",
            projects=("p0", "p1", "p2"),
        )
        for n in range(4)
    ]
    for delivery in deliveries:
        await stage.until_state(delivery, "succeeded")
    holders = {
        (await stage.job(job.id))["worker"] for delivery in deliveries for job in delivery.jobs
    }
    pids = {int(holder.split("-")[-2]) for holder in holders}
    assert pids == {first.pid, second.pid}


async def test_a_killed_worker_loses_nothing_and_its_job_runs_again_within_20_seconds(
    stage: Stage,
) -> None:
    """With the default lease of 15 s, although the timeout of its action is 300 s."""
    victim = await stage.worker()
    enqueued = await stage.enqueue(
        ("demo#work", {"label": "long", "seconds": 1}), ("demo#notify", {"message": "after"})
    )
    await until(lambda: stage.work("long") == ["start"])
    victim.kill()
    killed_at = time.monotonic()
    survivor = await stage.worker()
    await until(lambda: stage.work("long").count("start") == 2, 25)
    taken = time.monotonic() - killed_at
    assert taken < 20
    await stage.until_state(enqueued, "succeeded")
    job = await stage.job(enqueued.jobs[0].id)
    assert json.loads(job["attempt:1.1"])["outcome"] == "crashed"
    assert (job["state"], job["attempts"]) == ("succeeded", "2")
    assert f"-{survivor.pid}-" in job["worker"]


async def test_sigterm_lets_a_running_job_end_and_exits_0(stage: Stage) -> None:
    worker = await stage.worker()
    enqueued = await stage.enqueue(("demo#work", {"label": "short", "seconds": 1}))
    await until(lambda: stage.work("short") == ["start"])
    worker.terminate()
    assert await worker.ended() == 0
    assert stage.work("short") == ["start", "end"]
    await stage.until_state(enqueued, "succeeded", within=1)
    assert await stage.redis.zcard("imbi:workers") == 0


async def test_a_job_beyond_the_drain_time_goes_back_without_an_attempt(stage: Stage) -> None:
    worker = await stage.worker(drain="500ms", grace="500ms")
    enqueued = await stage.enqueue(("demo#hang", {}))

    async def runs() -> bool:
        return (await stage.job(enqueued.jobs[0].id))["state"] == "running"

    await until(runs)
    worker.terminate()
    assert await worker.ended(10) == 0
    job = await stage.job(enqueued.jobs[0].id)
    assert (job["state"], job["attempts"]) == ("waiting", "0")


async def test_redis_killed_and_restarted_under_two_workers(
    fragile_stage: Stage, own_valkey: Valkey
) -> None:
    """They stay up, reconnect, and every job of before and after ends."""
    stage = fragile_stage
    workers = await asyncio.gather(stage.worker(), stage.worker())
    before = await stage.enqueue(("demo#work", {"label": "before", "seconds": 1}))
    await until(lambda: stage.work("before") == ["start"])
    own_valkey.kill()
    await until(lambda: stage.work("before") == ["start", "end"])
    own_valkey.restart()
    await stage.redis.connection_pool.disconnect()
    await stage.until_state(before, "succeeded")
    after = await stage.enqueue(("demo#work", {"label": "after"}), delivery="d2")
    await stage.until_state(after, "succeeded")
    assert [worker.process.returncode for worker in workers] == [None, None]
    assert stage.work("before") == ["start", "end"]


async def test_no_secret_stands_in_redis(stage: Stage) -> None:
    """Jobs carry references; results, errors and records are redacted."""
    await stage.worker(backoff="100ms", max_attempts="2")
    enqueued = await stage.enqueue(
        ("demo#notify", {"message": "m"}), ("demo#notify", {"message": ""}), ("demo#nope", {})
    )
    await stage.until_state(enqueued, "succeeded", "dead")
    dump = b""
    async for key in stage.redis.scan_iter():
        dump += await stage.redis.dump(key) or b""
        dump += key
    for secret in SECRETS:
        assert secret.encode() not in dump


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("IMBI_AUTH_ENCRYPTION_KEY", "", "IMBI_AUTH_ENCRYPTION_KEY: Encryption key not configured"),
        ("IMBI_AUTH_ENCRYPTION_KEY", "nonsense", "Invalid encryption key"),
        ("IMBI_WORKER_SIGNING_KEY", "", "IMBI_WORKER_SIGNING_KEY: is not set"),
        ("IMBI_WORKER_SIGNING_KEY", "short", "shorter than 16 characters"),
        ("REDIS_URL", "", "REDIS_URL: is not set"),
        ("REDIS_URL", "http://somewhere", "must begin with redis://"),
        ("NEO4J_URL", "", "NEO4J_URL: is not set"),
        ("NEO4J_URL", "http://somewhere", "NEO4J_URL takes bolt://"),
        ("ACTIONS_IMBI_URL", "nowhere", "ACTIONS_IMBI_URL must be"),
        ("IMBI_WORKER_GRAPH", "other", "IMBI_WORKER_GRAPH: no installed package offers"),
        ("IMBI_WORKER_CONCURRENCY", "0", "IMBI_WORKER_CONCURRENCY: Input should be"),
    ],
)
async def test_a_worker_that_cannot_start_says_why_and_exits_78(
    stage: Stage, variable: str, value: str, said: str
) -> None:
    worker = await stage.worker(ready=False, environment={variable: value})
    assert await worker.ended() == 78
    assert said in worker.log()
    assert "Traceback" not in worker.log()


async def test_a_graph_that_is_away_costs_no_attempt_and_other_jobs_run(stage: Stage) -> None:
    """The jobs that need it wait; those without credentials do not."""
    await stage.worker(environment={"NEO4J_URL": "bolt://127.0.0.1:1"})
    needs = await stage.enqueue(("demo#notify", {"message": "m"}))
    free = await stage.enqueue(
        ("gateway-actions#update_project", [{"path": "/ref", "from": "/payload/ref"}]),
        delivery="d2",
    )
    await stage.until_state(free, "succeeded")

    async def is_deferred() -> bool:
        job = await stage.job(needs.jobs[0].id)
        return job["state"] == "waiting" and "deferred_since" in job

    await until(is_deferred, 20)
    assert (await stage.job(needs.jobs[0].id))["attempts"] == "0"


async def test_a_policy_of_one_handler_is_its_own(stage: Stage) -> None:
    await stage.worker(timeouts="demo#hang=500ms", policies='{"demo#hang": {"max_attempts": 1}}')
    enqueued = await stage.enqueue(("demo#hang", {}))
    await stage.until_state(enqueued, "dead")
    job = await stage.job(enqueued.jobs[0].id)
    assert (job["attempts"], job["reason"]) == ("1", "attempts exhausted")
