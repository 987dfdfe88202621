"""SIGTERM: what has begun may end, everything else goes back, and the pod is gone in time."""

import time
from pathlib import Path

import pytest
from stage import Stage
from stubborn import installed_in

from waiting import until

DRAIN, GRACE = 1.0, 0.5


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """What a worker's environment needs to find the plugin."""
    return installed_in(tmp_path)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("action", ["swallow", "block", "spin"])
async def test_the_pod_is_gone_a_second_after_its_grace_whatever_an_action_does(
    stage: Stage, installed: dict[str, str], tmp_path: Path, action: str, loop: str
) -> None:
    """With exit code 0, its job given back without an attempt; its neighbour's end counts."""
    marker = tmp_path / "began"
    worker = await stage.worker(
        environment=installed,
        drain=f"{DRAIN}s",
        grace=f"{GRACE}s",
        lease="30s",
        event_loop=loop,
    )
    innocent = await stage.enqueue(("demo#work", {"label": "innocent"}), projects=("p1",))
    await stage.until_state(innocent, "succeeded")
    assert f'"event_loop":"{loop}"' in worker.log()
    enqueued = await stage.enqueue(
        (f"stubborn#{action}", {"marker": str(marker)}), delivery="d2", projects=("p0",)
    )
    await until(marker.exists)
    worker.terminate()
    begun = time.monotonic()
    assert await worker.ended(20) == 0
    assert time.monotonic() - begun < DRAIN + GRACE + 1
    job = await stage.job(enqueued.jobs[0].id)
    assert (job["state"], job["attempts"], job.get("crashes")) == ("waiting", "0", None)
    assert job["unknown"] == "1", "its effect is unknown, and nothing says so"
    assert await stage.redis.zcard("imbi:workers") == 0


async def test_under_load_nothing_is_lost_and_no_attempt_is_used(stage: Stage) -> None:
    """Short ones end, long ones go back, what was claimed and not begun too; another takes over."""
    worker = await stage.worker(drain="1s", grace="500ms", concurrency="20", lease="30s")
    deliveries = [
        await stage.enqueue(
            ("demo#work", {"label": f"long {n}", "seconds": 60 if n == 0 else 0.05}),
            ("demo#work", {"label": f"short {n}", "seconds": 0.05}),
            delivery=f"d{n}",
            projects=("p0", "p1", "p2"),
        )
        for n in range(40)
    ]
    await until(lambda: stage.work("long 0").count("start") == 3)
    worker.terminate()
    begun = time.monotonic()
    assert await worker.ended() == 0
    assert time.monotonic() - begun < 2.5
    jobs = [await stage.job(job.id) for one in deliveries for job in one.jobs]
    assert {job["state"] for job in jobs} == {"waiting"}
    assert {(job["attempts"], job.get("crashes")) for job in jobs} == {("0", None)}
    assert all("token" not in job for job in jobs)


async def test_what_ends_within_the_drain_is_written_and_what_waits_is_not_begun(
    stage: Stage,
) -> None:
    """The pod is gone as soon as the last one has ended, long before its drain is over."""
    worker = await stage.worker(drain="30s", lease="30s", concurrency="2")
    enqueued = await stage.enqueue(
        ("demo#work", {"label": "now", "seconds": 1}),
        ("demo#work", {"label": "later"}),
        projects=("p0", "p1", "p2"),
    )
    await until(lambda: stage.work("now").count("start") == 2)
    worker.terminate()
    begun = time.monotonic()
    assert await worker.ended() == 0
    assert time.monotonic() - begun < 5
    assert stage.work("now") == ["start", "start", "end", "end"]
    assert stage.work("later") == []
    jobs = [await stage.job(job.id) for job in enqueued.jobs]
    assert sorted(job["state"] for job in jobs) == ["succeeded"] * 2 + ["waiting"] * 4
    assert {job["attempts"] for job in jobs if job["state"] == "waiting"} == {"0"}
    next_one = await stage.worker()
    await stage.until_state(enqueued, "succeeded")
    done = [await stage.job(job.id) for job in enqueued.jobs]
    assert {job["attempts"] for job in done} == {"1"}
    assert sum(f"-{next_one.pid}-" in job["worker"] for job in done) == 4


async def test_what_was_claimed_while_an_action_blocks_goes_back_too(
    stage: Stage, installed: dict[str, str], tmp_path: Path
) -> None:
    """Redis has leased it, and the loop that should hear of it never turns again."""
    marker = tmp_path / "began"
    blocking = await stage.enqueue(("stubborn#block", {"marker": str(marker)}), projects=("p0",))
    innocent = await stage.enqueue(
        ("demo#work", {"label": "innocent"}),
        delivery="d2",
        projects=tuple(f"p{n}" for n in range(1, 100)),
    )
    worker = await stage.worker(environment=installed, drain="500ms", grace="500ms", lease="60s")
    await until(marker.exists)

    async def leased() -> dict[str, str]:
        """Job by job, the number of the claim that it came with."""
        jobs = {job.id: await stage.job(job.id) for job in (*blocking.jobs, *innocent.jobs)}
        return {id_: job["token"].split("/")[1] for id_, job in jobs.items() if "token" in job}

    async def of_two_claims() -> bool:
        return len(set((await leased()).values())) == 2

    await until(of_two_claims)
    unheard = [id_ for id_, claim in (await leased()).items() if claim == "2"]
    worker.terminate()
    assert await worker.ended(20) == 0
    assert await leased() == {}
    jobs = [await stage.job(id_) for id_ in unheard]
    assert {(job["attempts"], job.get("crashes")) for job in jobs} == {("0", None)}
    assert not any(job.get("unknown") for job in jobs), "they were never begun"
