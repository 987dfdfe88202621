"""Scrapes of a real worker on a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from probe import JOURNAL
from pydantic import SecretStr
from room import Room
from watched import Watched, watched

from imbi_sdk.queue import ActionQueue, Signer, keys
from imbi_worker.embedded import Valkey
from imbi_worker.queue.control import Control, Mandate
from waiting import until


@pytest.fixture
async def worker(room: Room) -> AsyncIterator[Watched]:
    async with watched(room) as worker:
        yield worker


UP = 'imbi_queue_up{queue="imbi:queue"}'
# What a connection says when it opens, and what resets the statistics.
CONNECTING = ("cmdstat_client", "cmdstat_hello", "cmdstat_config", "cmdstat_select")


def attempts(outcome: str, plugin: str = "probe", action: str = "act") -> str:
    labels = f'action="{action}",outcome="{outcome}",plugin="{plugin}"'
    return f"imbi_worker_attempts_total{{{labels}}}"


def errors(name: str, plugin: str = "probe", action: str = "act") -> str:
    labels = f'action="{action}",error_class="{name}",plugin="{plugin}"'
    return f"imbi_worker_attempt_errors_total{{{labels}}}"


def jobs(state: str) -> str:
    return f'imbi_queue_jobs{{queue="imbi:queue",state="{state}"}}'


def ended(outcome: str) -> str:
    return f'imbi_queue_jobs_ended_total{{outcome="{outcome}",queue="imbi:queue"}}'


async def test_what_attempts_come_to_is_counted(room: Room, worker: Watched) -> None:
    """By plugin, action and outcome, with the kind of each failure."""
    enqueued = await room.enqueue(
        {"label": "fine"},
        {"label": "again", "fails": 1},
        {"does": "permanent"},
        {"does": "skip"},
        {"label": 5},
    )
    await room.until_ended(enqueued)
    figures = await worker.figures()
    assert {name: figures[name] for name in figures if "attempt" in name} == {
        attempts("succeeded"): 2,
        attempts("retry"): 1,
        attempts("skipped"): 1,
        attempts("dead"): 2,
        errors("transient"): 1,
        errors("permanent"): 1,
        errors("config"): 1,
    }
    assert figures['imbi_worker_queue_wait_seconds_count{queue="imbi:queue"}'] == 6
    dead = 'imbi_worker_end_to_end_seconds_count{outcome="dead",plugin="probe"}'
    assert figures[dead] == 2
    assert figures[jobs("dead")] == 2
    assert [figures[ended(end)] for end in ("succeeded", "skipped", "dead")] == [2, 1, 2]
    assert figures['imbi_queue_dead_letter_bytes{queue="imbi:queue"}'] > 0


async def test_an_end_that_no_attempt_has_met_is_counted(room: Room, worker: Watched) -> None:
    """A cancel of what waits; also of a handler nobody has, whose name becomes no label."""
    hold = Mandate(actor="ann", reason="a test")
    control = Control(room.redis, queue=keys.QUEUE)
    await control.hold("queue", None, hold)
    enqueued = await room.enqueue({}, handler="made-up#x")
    await control.cancel([job.id for job in enqueued.jobs], hold, scope="job")
    await room.until_ended(enqueued)
    figures = await worker.figures()
    assert figures[ended("cancelled")] == 1
    assert "made-up" not in (await worker.get("/metrics")).text


async def test_a_time_out_and_a_rate_limit_are_told_from_failures(room: Room) -> None:
    """One is an attempt of its own kind, the other is none."""
    async with watched(room, action_timeout=timedelta(seconds=0.1)) as worker:
        await room.enqueue({"does": "wait"}, delivery="d1", project="p1", handler="probe#once")
        await room.enqueue({"does": "rate limit", "seconds": 60}, delivery="d2", project="p2")

        async def both() -> bool:
            figures = await worker.figures()
            put_off = 'imbi_worker_deferrals_total{plugin="probe",reason="retry_after"}'
            return attempts("timeout", action="once") in figures and put_off in figures

        await until(both)
        assert errors("timeout", action="once") in await worker.figures()


async def test_the_queue_is_told_by_state(room: Room, worker: Watched) -> None:
    """What runs, what waits in its lane, for its time or under a hold, and what is due."""
    await room.enqueue({"does": "wait"}, {}, delivery="d1", project="p1")
    await until(lambda: len(JOURNAL.of("start")) == 1)
    hold = Mandate(actor="ann", reason="a test")
    await Control(room.redis, queue=keys.QUEUE).hold("handler:probe#once", None, hold)
    await room.enqueue({}, delivery="d2", project="p2", handler="probe#once")
    await worker.engine._parts.presence.beat()

    states = ("running", "blocked", "paused")

    async def is_told() -> bool:
        figures = await worker.figures()
        return [figures.get(jobs(state)) for state in states] == [1, 1, 1]

    await until(is_told)
    figures = await worker.figures()
    assert figures['imbi_queue_holds{kind="operator",queue="imbi:queue"}'] == 1
    assert figures['imbi_queue_workers{queue="imbi:queue"}'] == 1
    assert figures["imbi_worker_jobs_running"] == 1
    assert figures["imbi_worker_slots"] == 100
    JOURNAL.gate.set()


async def test_what_nobody_takes_grows_old(room: Room) -> None:
    """The best single alert on a backlog: how long the first due job has been so."""
    async with watched(room) as worker:
        worker.engine.drain()
        await room.enqueue({})
        await room.redis.zincrby(
            keys.QUEUE, -60_000, (await room.redis.zrange(keys.QUEUE, 0, 0))[0]
        )
        figures = await worker.figures()
        assert figures[jobs("due")] == 1
        assert 60 <= figures['imbi_queue_oldest_due_age_seconds{queue="imbi:queue"}'] < 90


async def test_duplicates_and_revivals_are_counted(room: Room, worker: Watched) -> None:
    """A redelivery is dropped, or brings the dead back."""
    for _ in range(2):
        await room.until_ended(await room.enqueue({"does": "permanent"}, {"label": "b"}))
    figures = await worker.figures()
    assert figures['imbi_worker_dedup_total{queue="imbi:queue",result="dropped"}'] == 1
    assert figures['imbi_worker_dedup_total{queue="imbi:queue",result="revived"}'] == 1


async def test_a_forged_job_adds_no_series(room: Room, worker: Watched) -> None:
    """Its handler is somebody's text and becomes no label."""
    room.queue = ActionQueue(room.redis, signer=Signer([SecretStr("the key of somebody else")]))
    await room.until_ended(await room.enqueue({}, handler="probe#made_up"))
    figures = await worker.figures()
    assert figures[attempts("dead", "other", "other")] == 1
    assert figures[errors("signature", "other", "other")] == 1
    assert "made_up" not in (await worker.get("/metrics")).text


async def test_no_secret_shows_in_a_scrape(room: Room, worker: Watched, canary: str) -> None:
    """Whether it stands in config, event, error or label of a job."""
    enqueued = await room.enqueue(
        {"label": canary, "does": "permanent"}, {"label": [canary]}, payload={"token": canary}
    )
    await room.until_ended(enqueued)
    for path in ("/metrics", "/livez", "/readyz", f"/{canary}"):
        assert canary not in (await worker.get(path)).text


async def test_a_hundred_scrapes_at_once_cost_one(room: Room, worker: Watched) -> None:
    """Every one is answered, and Redis is asked a few times, not hundreds."""
    await worker.figures()
    before = (await room.redis.info("commandstats"))["cmdstat_zcount"]["calls"]
    pages = await asyncio.gather(*(worker.get("/metrics") for _ in range(100)))
    assert {page.status for page in pages} == {200}
    assert all(f"{UP} 1.0" in page.text for page in pages)
    after = (await room.redis.info("commandstats"))["cmdstat_zcount"]["calls"]
    per_reading = 4
    assert after - before <= 5 * per_reading


async def test_a_scrape_asks_redis_as_much_for_many_jobs_as_for_one(room: Room) -> None:
    """Counts and firsts of indexes, whatever waits: no keys are listed and no ranges read."""

    async def asked() -> dict[str, int]:
        stats = await room.redis.info("commandstats")
        return {name: figures["calls"] for name, figures in stats.items()}

    async with watched(room) as worker:
        worker.engine.drain()
        spent = []
        for delivery, jobs_ in (("d1", 1), ("d2", 500)):
            await room.enqueue(*({} for _ in range(jobs_)), delivery=delivery, project=delivery)
            await room.redis.config_resetstat()
            assert await worker.figures()
            found = await asked()
            spent.append({n: c for n, c in found.items() if not n.startswith(CONNECTING)})
            fresh = asyncio.get_running_loop().time() + 0.6
            await until(lambda fresh=fresh: asyncio.get_running_loop().time() > fresh)
    assert spent[0] == spent[1]
    assert not {"cmdstat_scan", "cmdstat_keys", "cmdstat_zrangebyscore"} & set(spent[0])


async def test_a_scrape_while_redis_is_away_tells_what_is_known(valkey: Valkey) -> None:
    """The worker's own figures, that Redis is not up, and no figure of a queue nobody can see."""
    room = Room(valkey.url)
    async with watched(room) as worker:
        await room.until_ended(await room.enqueue({}))
        assert (await worker.figures())[UP] == 1
        valkey.kill()

        async def is_down() -> bool:
            return f"{UP} 0.0" in (await worker.get("/metrics")).text

        await until(is_down)
        await until(lambda: not worker.engine.is_connected)
        figures = await worker.figures()
        assert figures[attempts("succeeded")] == 1
        assert figures["imbi_worker_redis_errors_total"] >= 1
        assert not any(name.startswith(("imbi_queue_jobs", "imbi_queue_work")) for name in figures)
        assert (await worker.get("/livez")).status == 200
        assert (await worker.get("/readyz")).status == 503
        valkey.restart()

        async def is_up() -> bool:
            return f"{UP} 1.0" in (await worker.get("/metrics")).text

        await until(is_up)
    await room.redis.aclose()


async def test_a_redis_that_says_nothing_holds_no_scrape_up(valkey: Valkey) -> None:
    """Two seconds, then the worker's own figures; many who wait are answered together."""
    room = Room(valkey.url)
    async with watched(room) as worker:
        await room.redis.execute_command("CLIENT", "PAUSE", 6_000, "ALL")
        pages = await asyncio.gather(*(worker.get("/metrics") for _ in range(20)))
        assert all(f"{UP} 0.0" in page.text for page in pages)
    await room.redis.aclose()


async def test_openmetrics_is_spoken_to_who_asks_for_it(worker: Watched) -> None:
    """And plain text to whoever asks for nonsense."""
    page = await worker.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert page.content_type.startswith("application/openmetrics-text")
    assert page.text.endswith("# EOF\n")
    odd = await worker.get("/metrics", Accept="application/openmetrics-text; version=x")
    assert odd.content_type.startswith("text/plain")
