"""Redis goes, fills up, loads, freezes or changes its master: the workers wait it out."""

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.typing import EventDict

from chaos.proxy import Cut, Proxy
from imbi_sdk.queue import ActionQueue, EnqueueStatus, QueueUnavailable
from imbi_worker.embedded import Valkey
from integration.engine.room import Room
from integration.guarantees.puppets import STAGE
from waiting import until

LEASE = timedelta(seconds=1)
# Told of every time; each state of Redis may be told of once, not each retry.
OF_JOBS = {
    *("job.attempt.succeeded", "job.attempt.retry_scheduled", "job.lease_lost", "job.attempt.dead"),
    *("worker.started", "worker.stopped"),
}


async def passed(seconds: float) -> None:
    """Returns when so much time is over: the outage itself is what is tested."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await until(lambda: loop.time() > end, within=seconds + 5)


def told(log: list[EventDict]) -> Counter[str]:
    """How often each line about Redis was written."""
    return Counter(line["event"] for line in log if line["event"] not in OF_JOBS)


async def process_of(room: Room) -> int:
    return int((await room.redis.info("server"))["process_id"])


async def many_running(room: Room, gate: asyncio.Event, count: int = 12) -> list[str]:
    """So many jobs that run until the gate opens, each in a lane of its own; their labels."""
    labels = [f"job {number}" for number in range(count)]
    for number, label in enumerate(labels):
        STAGE.plays[label] = lambda _: gate.wait()
        await room.enqueue({"label": label}, delivery=f"d{number}", project=f"p{number}")
    await until(lambda: sorted(STAGE.of("start")) == sorted(labels))
    return labels


async def all_jobs(room: Room) -> list[dict[str, str]]:
    return [
        await room.job(key.decode().removeprefix("imbi:job:"))
        for key in await room.redis.keys("imbi:job:*")
    ]


async def until_all(room: Room, state: str) -> list[dict[str, str]]:
    async def reached() -> bool:
        return {job["state"] for job in await all_jobs(room)} == {state}

    await until(reached, within=20)
    return await all_jobs(room)


async def test_an_outage_of_four_leases_costs_no_job_an_attempt(
    fragile: Room, valkey: Valkey, log: list[EventDict]
) -> None:
    """As a minute does with the default lease: two workers, jobs that run on, none taken over."""
    gate = asyncio.Event()
    async with (
        fragile.worker(lease=LEASE, concurrency=8) as one,
        fragile.worker(lease=LEASE, concurrency=8) as two,
    ):
        labels = await many_running(fragile, gate)
        valkey.kill()
        await until(lambda: not one.is_connected and not two.is_connected)
        await passed(4 * LEASE.total_seconds())
        assert not one.is_connected
        assert not two.is_connected
        valkey.restart()
        await fragile.redis.connection_pool.disconnect()
        await until(lambda: one.is_connected and two.is_connected)
        await passed(2 * LEASE.total_seconds())
        gate.set()
        jobs = await until_all(fragile, "succeeded")
    assert {(job["attempts"], job.get("crashes")) for job in jobs} == {("1", None)}
    assert sorted(STAGE.of("start")) == sorted(labels)
    # Two workers, each of which says once that it is gone and once that it is back.
    assert told(log)["redis.away"] == told(log)["redis.back"] == 2
    assert set(told(log).values()) <= {1, 2}, told(log)


async def test_a_redis_that_stood_still_makes_nobody_look_crashed(
    fragile: Room, log: list[EventDict]
) -> None:
    """Frozen with everybody's calls in its hands, it wakes with every lease over by its clock."""
    gate = asyncio.Event()
    redis = await process_of(fragile)
    async with (
        fragile.worker(lease=LEASE, concurrency=8),
        fragile.worker(lease=LEASE, concurrency=8),
        fragile.worker(lease=LEASE, concurrency=8),
    ):
        labels = await many_running(fragile, gate)
        for _ in range(3):
            os.kill(redis, signal.SIGSTOP)
            try:
                await passed(1.5 * LEASE.total_seconds())
            finally:
                os.kill(redis, signal.SIGCONT)
            await passed(LEASE.total_seconds())
        gate.set()
        jobs = await until_all(fragile, "succeeded")
    assert {(job["attempts"], job.get("crashes")) for job in jobs} == {("1", None)}
    assert sorted(STAGE.of("start")) == sorted(labels)
    assert told(log)["job.claimed_again"] == 0


async def test_scripts_that_redis_forgot_are_sent_again_by_renewals_too(fragile: Room) -> None:
    """A job runs for three leases on, with its scripts flushed all the while."""
    gate = asyncio.Event()
    async with fragile.worker(lease=LEASE):
        await many_running(fragile, gate, count=1)
        for _ in range(6):
            await fragile.redis.script_flush()
            await passed(LEASE.total_seconds() / 2)
        gate.set()
        [job] = await until_all(fragile, "succeeded")
    assert (job["attempts"], STAGE.of("start")) == ("1", ["job 0"])


async def weigh_down(room: Room, valkey: Valkey) -> None:
    """Enough in a snapshot for a start that takes two seconds."""
    async with room.redis.pipeline(transaction=False) as pipe:
        for number in range(2_000):
            pipe.set(f"ballast:{number}", "x" * 100, ex=60)
        await pipe.execute()
    await room.redis.bgrewriteaof()

    async def is_written() -> bool:
        return not (await room.redis.info("persistence"))["aof_rewrite_in_progress"]

    await until(is_written)
    valkey.settings["key-load-delay"] = "1000"
    valkey.settings["loading-process-events-interval-bytes"] = "1024"


async def test_a_redis_that_still_loads_is_waited_for(
    fragile: Room, valkey: Valkey, log: list[EventDict]
) -> None:
    """Workers are not ready, producers are told to answer 5xx, and all goes on by itself."""
    await weigh_down(fragile, valkey)
    async with fragile.worker(lease=timedelta(seconds=15)) as engine:
        await until(lambda: engine.is_connected)
        valkey.settings |= {
            "key-load-delay": "1000",
            "loading-process-events-interval-bytes": "1024",
        }
        restart = asyncio.create_task(asyncio.to_thread(valkey.restart))

        async def loads() -> bool:
            try:
                await fragile.redis.ping()
            except Exception as error:  # noqa: BLE001 - gone first, then loading
                await fragile.redis.connection_pool.disconnect()
                return "BusyLoading" in type(error).__name__
            return False

        await until(loads)
        with pytest.raises(QueueUnavailable, match=r"BusyLoadingError.*5xx"):
            await fragile.enqueue({"label": "early"})
        assert not engine.is_connected
        await restart
        await until(lambda: engine.is_connected)
        enqueued = await fragile.enqueue({"label": "a"})
        [job] = await fragile.until_ended(enqueued)
    assert job["state"] == "succeeded"
    assert told(log)["redis.away"] == 1


async def test_a_full_redis_refuses_enqueues_and_works_on(
    fragile: Room, log: list[EventDict]
) -> None:
    """What runs ends, what waits runs; the producer is told, and nothing of its call is there."""
    gate = asyncio.Event()
    async with fragile.worker(lease=LEASE, concurrency=3) as engine:
        await many_running(fragile, gate, count=3)
        waiting = await fragile.enqueue({"label": "w"}, {"label": "x"}, delivery="w", project="w")
        await fragile.redis.config_set("maxmemory", "1mb")
        with pytest.raises(QueueUnavailable, match="maxmemory"):
            await fragile.enqueue({"label": "refused"}, delivery="refused")
        assert await fragile.redis.exists("imbi:delivery:refused") == 0
        await passed(2 * LEASE.total_seconds())
        assert engine.is_connected
        gate.set()
        jobs = await fragile.until_ended(waiting)
        await fragile.redis.config_set("maxmemory", "0")
        again = await fragile.enqueue({"label": "refused"}, delivery="refused")
        await fragile.until_ended(again)
    assert [job["state"] for job in jobs] == ["succeeded", "succeeded"]
    assert {job["attempts"] for job in await all_jobs(fragile)} == {"1"}
    assert told(log)["redis.away"] == 0


@pytest.fixture
def with_port(valkey: Valkey) -> int:
    """The own server, restarted with a port that a replica can follow."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    valkey.settings |= {"port": str(port), "bind": "127.0.0.1", "repl-diskless-sync-delay": "0"}
    valkey.restart()
    return port


@pytest.fixture
def replica(with_port: int, tmp_path: Path) -> Iterator[Valkey]:
    """A second server that follows the first."""
    server = Valkey(settings={"replicaof": f"127.0.0.1 {with_port}"}).start()
    yield server
    server.stop()


@pytest.fixture
async def behind_a_name(
    valkey: Valkey, replica: Valkey, tmp_path: Path
) -> AsyncIterator[tuple[Room, Proxy]]:
    """A room whose address leads to the primary, as a name in DNS does."""
    name = Proxy(Path(valkey.url.removeprefix("unix://")), tmp_path / "name.sock", lambda _: None)
    await name.start()
    room = Room(name.url)
    yield room, name
    await room.redis.aclose()
    await name.stop()


async def until_followed(primary: Room, replica: Room) -> None:
    """The replica has all that the primary wrote so far."""
    written = (await primary.redis.info("replication"))["master_repl_offset"]

    async def has_all() -> bool:
        facts = await replica.redis.info("replication")
        return facts["master_link_status"] == "up" and facts["slave_repl_offset"] >= written

    await until(has_all)


async def test_a_failover_to_a_replica_is_followed_though_connections_stay_open(
    behind_a_name: tuple[Room, Proxy], valkey: Valkey, replica: Valkey, log: list[EventDict]
) -> None:
    """The demoted primary answers READONLY: its connections are dropped, the name leads on."""
    room, name = behind_a_name
    gateway = Redis.from_url(name.url)
    room.queue = ActionQueue(gateway, signer=room.signer)
    gate = asyncio.Event()
    old, new = Room(valkey.url), Room(replica.url)
    async with room.worker(lease=timedelta(seconds=5)) as engine:
        await many_running(room, gate, count=3)
        await until_followed(old, new)
        await new.redis.execute_command("REPLICAOF", "NO", "ONE")
        await old.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        name._upstream = Path(replica.url.removeprefix("unix://"))
        gate.set()
        jobs = await until_all(new, "succeeded")
        later = await room.enqueue({"label": "later"}, delivery="later", project="later")
        await new.until_ended(later)
        await until(lambda: engine.is_connected)
    for client in (gateway, old.redis, new.redis):
        await client.aclose()
    assert {(job["attempts"], job.get("crashes")) for job in jobs} == {("1", None)}
    assert told(log)["redis.away"] <= 1


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_enqueue_that_lost_its_connection_answers_as_if_nothing_had_been(
    fragile: Room, bridge: Proxy, moment: str
) -> None:
    """The call is repeated under its nonce: accepted, not a duplicate of itself."""
    room = Room(bridge.url)
    await fragile.enqueue({"label": "first"}, delivery="first")  # Redis knows the script now
    bridge.cut(Cut("before" if moment == "before" else "after", 0.0))
    enqueued = await room.enqueue({"label": "a"}, {"label": "b"})
    await room.redis.aclose()
    assert [job.status for job in enqueued.jobs] == [EnqueueStatus.ACCEPTED] * 2
    assert await fragile.redis.zcard("imbi:lane:p1/probe") == 3


async def test_an_enqueue_repeated_after_an_outage_reports_the_first_calls_result(
    fragile: Room, bridge: Proxy
) -> None:
    """The gateway answered 503; the sender's next try, or the gateway's own, is told the truth."""
    room = Room(bridge.url)
    await bridge.stop()
    with pytest.raises(QueueUnavailable, match="same nonce"):
        await room.enqueue({"label": "a"})
    await bridge.start()
    accepted = await room.enqueue({"label": "a"})
    assert [job.status for job in accepted.jobs] == [EnqueueStatus.ACCEPTED]
    await room.redis.aclose()
