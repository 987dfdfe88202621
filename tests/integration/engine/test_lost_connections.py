"""What a network does to connections costs no lease and no attempt."""

import math
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import probe
import pytest
from pydantic import SecretStr
from room import Room

from chaos.proxy import Cut, Proxy
from imbi_sdk.queue import keys
from imbi_worker.embedded import Valkey
from imbi_worker.queue.claims import CLAIM, Claimer, Request
from imbi_worker.queue.connection import connect_blocking
from imbi_worker.queue.finishing import FINISH
from imbi_worker.queue.leases import Lease, Watchdog
from waiting import until

LEASE = timedelta(seconds=2)


@pytest.fixture
async def own_room(valkey: Valkey) -> AsyncIterator[Room]:
    room = Room(valkey.url)
    yield room
    await room.redis.aclose()


async def claim(room: Room, worker: str, *, spares_expired: bool = False) -> dict[str, str]:
    """What *worker* gets: job -> token."""
    claimer = Claimer(room.redis, queue=keys.QUEUE, worker=worker, lease=LEASE, slugs=["probe"])
    request = Request(10, 2**20, takes_any=True, spares_expired=spares_expired, graph_answers=True)
    return {job.id: job.token for job in (await claimer.claim(request)).jobs}


async def test_a_lease_survives_two_cut_renewals_in_a_row(
    own_room: Room, valkey: Valkey, tmp_path: Path
) -> None:
    """A renewal that fails is repeated soon, in proportion to the lease."""
    cuts: list[str] = []

    def cut_again(moment: str) -> None:
        cuts.append(moment)
        if len(cuts) < 2:
            proxy.cut(Cut("before", 0.0))

    socket = Path(valkey.url.removeprefix("unix://"))
    proxy = Proxy(socket, tmp_path / "proxy.sock", cut_again)
    await proxy.start()
    await own_room.enqueue({"label": "a"})
    ((job, token),) = (await claim(own_room, "w1")).items()
    first_end = (await own_room.job(job))["lease_until"]
    watchdog = Watchdog(
        connect_blocking(SecretStr(proxy.url)), queue=keys.QUEUE, lease=LEASE, on_lost=list
    )
    watchdog.hold(job, Lease(token, math.inf))
    proxy.cut(Cut("before", 0.0))
    watchdog.start()
    try:

        async def is_renewed() -> bool:
            return (await own_room.job(job))["lease_until"] != first_end

        await until(is_renewed)
        assert int(time.time() * 1000) < int(first_end), "the lease had run out by then"
        assert cuts == ["before", "before"]
    finally:
        watchdog.stop(keeps_exit=False)
        await proxy.stop()


async def test_a_worker_that_starts_leaves_expired_leases_to_their_holders_at_first(
    room: Room,
) -> None:
    """It may start just as Redis comes back; the holder's renewal then comes a moment later."""
    enqueued = await room.enqueue({"label": "a"})
    ((job, _),) = (await claim(room, "w1")).items()
    past = int(time.time() * 1000) - 1
    await room.redis.hset(f"{keys.JOB}{job}", "lease_until", past)
    await room.redis.zadd(keys.QUEUE, {job: past})
    async with room.worker(lease=timedelta(seconds=30)) as engine:
        await until(lambda: engine.is_connected)

        async def is_spared() -> bool:
            return await room.redis.zscore(keys.QUEUE, job) > past

        await until(is_spared)
        assert await room.state(job) == "running"
        assert engine.endings == {}
    assert [job.id for job in enqueued.jobs] == [job]


async def test_a_claim_whose_reply_is_lost_on_the_way_into_a_drain_costs_no_attempt(
    own_room: Room, valkey: Valkey, tmp_path: Path
) -> None:
    """The worker asks once more under the claim's number, and gives back what it was leased."""
    engines = []
    cuts: list[str] = []

    def drain_now(moment: str) -> None:
        cuts.append(moment)
        engines[0].drain()

    socket = Path(valkey.url.removeprefix("unix://"))
    proxy = Proxy(socket, tmp_path / "proxy.sock", drain_now)
    await proxy.start()
    assert await claim(own_room, "w1") == {}  # Redis knows the script: the next call runs it
    enqueued = await own_room.enqueue({"label": "a"})
    proxy.cut(Cut("after", 0.0, CLAIM.sha.encode()))
    async with own_room.worker(url=proxy.url) as engine:
        engines.append(engine)
        await until(lambda: bool(cuts))
    await proxy.stop()
    job = await own_room.job(enqueued.jobs[0].id)
    assert job["worker"], "nothing was claimed: the test has tested nothing"
    assert (job["state"], job["attempts"]) == ("waiting", "0")
    assert "token" not in job


async def test_a_claim_whose_reply_is_lost_is_repeated_though_an_ending_cannot_be_written(
    own_room: Room, valkey: Valkey, tmp_path: Path
) -> None:
    """Endings go first, but not until the leases have run out that the worker never heard of."""
    cuts: list[str] = []
    is_over = False

    def keep_endings_out(moment: str) -> None:
        cuts.append(moment)
        probe.JOURNAL.gate.set()
        if not is_over:
            proxy.cut(Cut("before", 0.0, FINISH.sha.encode()))

    socket = Path(valkey.url.removeprefix("unix://"))
    proxy = Proxy(socket, tmp_path / "proxy.sock", keep_endings_out)
    await proxy.start()
    async with own_room.worker(url=proxy.url, lease=LEASE) as engine:
        await own_room.enqueue({"label": "first", "does": "wait"})
        await until(lambda: "first" in probe.JOURNAL.of("start"))
        proxy.cut(Cut("after", 0.0, CLAIM.sha.encode()))
        second = (await own_room.enqueue({"label": "second"}, delivery="d2", project="p2")).jobs[0]
        await until(lambda: bool(cuts))
        first_end = int((await own_room.job(second.id))["lease_until"])
        try:
            await until(lambda: "second" in probe.JOURNAL.of("start"))
            assert int(time.time() * 1000) < first_end, "the lease had run out by then"
            assert len(engine._parts.finisher.unwritten) > 0
        finally:
            is_over = True
    assert cuts[0] == "after"
    await proxy.stop()
