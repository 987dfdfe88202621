"""Real servers for the tests: started once a session, emptied for each test that asks.

REDIS_URL (or VALKEY_URL) and NEO4J_URL, NEO4J_USER, NEO4J_PASSWORD, NEO4J_DATABASE name servers
of yours instead. A server that is missing fails the tests; nothing is skipped.
"""

import asyncio
import os
import re
import sys
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import redis as sync_redis
from cryptography.fernet import Fernet
from pydantic import SecretStr
from redis.asyncio import Redis

from graph_nodes import count_nodes, remove_nodes
from imbi_sdk.queue.keys import PERMANENT
from imbi_worker.embedded import ArcadeDB, Valkey
from imbi_worker.graph import GraphAddress, Neo4jGraph
from logged import logging_restored

NAMES_A_DATABASE = re.compile(r"/\d+$|[?&]db=\d+")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tests log what no text can hold, and xdist can send a report only as UTF-8."""
    report = yield
    report.sections = [
        (title, content.encode(errors="backslashreplace").decode())
        for title, content in report.sections
    ]
    return report


@pytest.fixture(scope="session", autouse=True)
def _buffers_as_usual() -> None:
    """A Python that buffers nothing would hide what a command forgets to write."""
    os.environ.pop("PYTHONUNBUFFERED", None)


@pytest.fixture(scope="session", autouse=True)
def _tests_go_on() -> Iterator[None]:
    """A watchdog ends a process that hangs in its drain.

    Ours, on a machine that stands still for a moment, is the one that runs the tests, and would
    end without a word: its thread ends.
    """
    end_process = os._exit

    def end_thread_or_process(code: int) -> None:
        if threading.current_thread().name == "imbi-watchdog":
            sys.exit(code)
        end_process(code)

    os._exit = end_thread_or_process  # type: ignore[assignment]  # it returns nothing, too
    yield
    os._exit = end_process


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """What a test, or a command that it runs in this process, makes of logging ends with it."""
    with logging_restored():
        yield


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[str]:
    given = os.environ.get("REDIS_URL") or os.environ.get("VALKEY_URL")
    if given:
        if not NAMES_A_DATABASE.search(given):
            pytest.fail("REDIS_URL names no database, and the tests flush it: add one, as in /15")
        yield re.sub(r"^valkey", "redis", given)
        return
    server = Valkey().start()
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def redis_url(_redis_server: str) -> Iterator[str]:
    """The address of an empty database. No key may be left that lives for ever by mistake."""
    with sync_redis.Redis.from_url(_redis_server) as client:
        client.flushdb()
        yield _redis_server
        forgotten = keys_for_ever(client)
        client.flushdb()
    assert not forgotten, f"keys without expiry that the key table does not list: {forgotten}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of an empty database; answers bytes."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server of the test's own, with an append-only file: kill() and restart() it."""
    server = Valkey(tmp_path / "valkey", appendonly=True).start()
    try:
        yield server
        if server.answers():
            with sync_redis.Redis.from_url(server.url) as client:
                forgotten = keys_for_ever(client)
            assert not forgotten, f"keys without expiry not in the key table: {forgotten}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def _graph_server() -> Iterator[GraphAddress]:
    given = os.environ.get("NEO4J_URL")
    if given:
        address = GraphAddress(
            given,
            os.environ.get("NEO4J_USER"),
            SecretStr(os.environ.get("NEO4J_PASSWORD", "")),
            os.environ.get("NEO4J_DATABASE", "neo4j"),
        )
        if asyncio.run(count_nodes(address)):
            pytest.fail("The database at NEO4J_URL is not empty, and the tests would empty it")
        yield address
        return
    server = ArcadeDB().start()
    try:
        yield server.address
    finally:
        server.stop()


@pytest.fixture
async def graph_address(_graph_server: GraphAddress) -> AsyncIterator[GraphAddress]:
    """The address of a database without nodes; constraints and indexes may be there."""
    yield _graph_server
    await remove_nodes(_graph_server)


@pytest.fixture
async def graph(graph_address: GraphAddress) -> AsyncIterator[Neo4jGraph]:
    """The adapter on a database without nodes."""
    adapter = Neo4jGraph.at(graph_address)
    yield adapter
    await adapter.close()


@pytest.fixture
def encryption_key() -> str:
    """A Fernet key, new for each test."""
    return Fernet.generate_key().decode()


@pytest.fixture
def canary() -> str:
    """A secret to send through; it may show in no log, error, repr or page."""
    return "canary-4f1d-do-not-leak"


def keys_for_ever(client: sync_redis.Redis) -> list[str]:
    """The keys that never expire and that the key table does not list as permanent."""
    forgotten = set()
    cursor = 0
    while True:
        cursor, found = client.scan(cursor, count=1000)
        with client.pipeline(transaction=False) as pipe:
            for key in found:
                pipe.ttl(key)
            left = pipe.execute()
        for key, seconds in zip(found, left, strict=True):
            name = key.decode(errors="backslashreplace")
            if seconds == -1 and not any(fnmatchcase(name, glob) for glob in PERMANENT):
                forgotten.add(name)
        if cursor == 0:
            return sorted(forgotten)
