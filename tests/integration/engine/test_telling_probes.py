"""Probes of a real worker: by its port, and by its file."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis as sync_redis
from probe import JOURNAL
from room import Room
from watched import Watched, watched

from imbi_worker.embedded import Valkey
from imbi_worker.observability import ListenError, listen_at
from imbi_worker.probes import Heartbeat
from waiting import until


async def test_a_worker_is_alive_and_ready_once_redis_has_answered(room: Room) -> None:
    """Each check is named, so that a red probe says why."""
    async with watched(room) as worker:
        await until(lambda: worker.engine.is_connected)
        for path, names in (
            ("/livez", ["event loop", "claim loop"]),
            ("/readyz", ["plugins", "encryption key", "Redis", "graph", "drain"]),
        ):
            page = await worker.get(path)
            told = json.loads(page.text)
            assert (page.status, told["ok"]) == (200, True)
            assert [check["name"] for check in told["checks"]] == names


async def test_a_worker_that_drains_is_alive_and_not_ready(room: Room) -> None:
    """From the first moment on, while running jobs still end."""
    async with watched(room, drain=timedelta(seconds=20)) as worker:
        await room.enqueue({"does": "wait"})
        await until(lambda: JOURNAL.of("start") == [""])
        worker.engine.drain()
        page = await worker.get("/readyz")
        assert page.status == 503
        assert "takes no more jobs" in page.text
        assert (await worker.get("/livez")).status == 200
        JOURNAL.gate.set()


async def test_an_action_that_blocks_the_loop_is_seen_from_outside(room: Room) -> None:
    """The answer comes while it blocks, with the seconds it has done so."""
    async with watched(room, stall=timedelta(seconds=0.7)) as worker:
        address = worker.address.removeprefix("http://")
        seen: list[str] = []

        def ask_until_ill() -> None:
            # From a thread: the loop of this test is the one that is blocked.
            ends = time.monotonic() + 10
            while time.monotonic() < ends and not seen:
                text = asked(address)
                if "503" in text.partition("\r\n")[0]:
                    seen.append(text)

        asking = asyncio.create_task(asyncio.to_thread(ask_until_ill))
        enqueued = await room.enqueue({"does": "block", "seconds": 2})
        await asking
        assert "event loop" in seen[0]
        assert "has stood still for" in seen[0]
        await room.until_ended(enqueued)


def asked(address: str) -> str:
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


async def test_the_file_says_the_same_and_goes_with_the_worker(room: Room, tmp_path: Path) -> None:
    """Written at once, so that a probe need not wait for it."""
    file = tmp_path / "heartbeat.json"
    async with watched(room, file=file) as worker:
        await until(file.exists)
        beat = Heartbeat.read(file)
        assert beat.worker == worker.engine.worker
        assert beat.live.is_ok
    assert not file.exists()


async def test_a_file_that_cannot_be_written_ends_no_worker(room: Room, tmp_path: Path) -> None:
    """The port still answers; the log says what to set."""
    async with watched(room, file=tmp_path / "nowhere" / "heartbeat.json") as worker:
        assert (await worker.get("/livez")).status == 200


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET /livez HTTP/1.1\r\n\r\n", "200"),
        (b"GET /livez?verbose=1 HTTP/1.1\r\n\r\n", "200"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", "200"),
        (b"POST /livez HTTP/1.1\r\n\r\n", "405"),
        (b"GET /nowhere HTTP/1.1\r\n\r\n", "404"),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", "405"),
        (b"GET\r\n\r\n", "404"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", ""),
    ],
)
async def test_whatever_is_sent_gets_an_answer_or_none(
    room: Room, request_: bytes, expected: str
) -> None:
    """And the next one who asks gets theirs."""
    async with watched(room) as worker:
        host, _, port = worker.address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request_)
        try:
            first = (await reader.read()).decode("latin-1").partition("\r\n")[0]
        except ConnectionResetError:
            first = ""
        assert expected in first
        assert bool(expected) == bool(first)
        writer.close()
        assert (await worker.get("/livez")).status == 200


async def test_a_head_has_no_body(room: Room) -> None:
    """Only the length that a body would have."""
    async with watched(room) as worker:
        host, _, port = worker.address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HEAD /livez HTTP/1.1\r\n\r\n")
        text = (await reader.read()).decode()
        assert text.endswith("\r\n\r\n")
        assert "Content-Length: " in text
        writer.close()


def test_a_port_in_use_says_what_to_set() -> None:
    """Where it is, why not, and the variable."""
    with (
        listen_at("127.0.0.1", 0) as taken,
        pytest.raises(ListenError, match=r"METRICS_PORT: .*127\.0\.0\.1:\d+: Address already in"),
    ):
        listen_at("127.0.0.1", taken.getsockname()[1])


def test_an_address_that_is_not_ours_says_what_to_set() -> None:
    """Another machine's, or none at all."""
    for host in ("192.0.2.1", "no-such-host.invalid"):
        with pytest.raises(ListenError, match="IMBI_WORKER_METRICS_HOST"):
            listen_at(host, 0)


@pytest.fixture
async def fragile(valkey: Valkey) -> AsyncIterator[Room]:
    """A room on a Redis of its own."""
    room = Room(valkey.url)
    yield room
    await room.redis.aclose()


@pytest.mark.parametrize("trouble", ["is gone", "hangs"])
async def test_a_redis_that_is_away_makes_a_worker_unready_and_never_dead(
    fragile: Room, valkey: Valkey, trouble: str
) -> None:
    """Restarting the fleet would not bring it back. One that hangs is given up after 5 s a call."""
    async with watched(fragile, stall=timedelta(seconds=12)) as worker:
        await until(lambda: is_ready(worker))
        pid = server_pid(valkey)
        if trouble == "hangs":
            os.kill(pid, signal.SIGSTOP)
        else:
            valkey.kill()
        try:
            await until(lambda: is_unready(worker), 10)
            over = time.monotonic() + 13
            while time.monotonic() < over:
                page = await worker.get("/livez")
                assert page.status == 200, page.text
                assert (await worker.get("/readyz")).status == 503
                await asyncio.sleep(0.2)
        finally:
            if trouble == "hangs":
                os.kill(pid, signal.SIGCONT)
            else:
                valkey.restart()
        await until(lambda: is_ready(worker), 20)


async def is_ready(worker: Watched) -> bool:
    return (await worker.get("/readyz")).status == 200


async def is_unready(worker: Watched) -> bool:
    return not await is_ready(worker)


def server_pid(valkey: Valkey) -> int:
    with sync_redis.Redis.from_url(valkey.url) as client:
        return int(client.info("server")["process_id"])
