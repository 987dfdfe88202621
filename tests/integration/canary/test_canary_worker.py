"""What a worker lets out: log lines, spans, metrics, probes, its own processes, Redis."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis
from scene import COMMAND, Process, Scene, until_nothing_waits

from imbi_sdk.queue import keys

pytestmark = pytest.mark.timeout(400)

# Each way to leak leaves these words with a mask in them: it has really happened.
SAID = (
    b"later: ***",
    b"bad token ***",
    b"thread Thread-",
    b"Exception ignored",
    b"py.warnings",
    b"stdout",
    b"stderr",
    b"half a line ***",
    b"the value: ***",
    b"a key: ***",
    b"exception.message",
    b"url.full",
)
# What a job needs to run, or to run again, is kept with it until it is gone.
OF_THE_JOB = (keys.BODY, keys.EVENT)


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_line_and_no_span_of_a_worker_has_a_secret(scene: Scene, style: str) -> None:
    """At the level *debug*, whatever the plugin says, whichever way."""
    said = scene.processes[style].said
    assert not scene.canaries.found_in(said)
    assert [words for words in SAID if words not in said] == []
    assert b"Traceback (most recent call last)" in said


def test_every_json_line_is_one(scene: Scene) -> None:
    """Whatever was printed, warned of or raised in a thread has become a line of its own."""
    lines = scene.processes["json"].err.read_text().splitlines()
    assert all(json.loads(line)["service"] == "imbi-worker" for line in lines)


def test_no_page_of_a_workers_port_has_a_secret(scene: Scene) -> None:
    """Metrics and both probes."""
    for path in ("/metrics", "/livez", "/readyz", "/elsewhere"):
        text = page(scene.processes["text"], path)
        assert text
        assert not scene.canaries.found_in(text)


def page(worker: Process, path: str) -> str:
    (port,) = re.findall(rb"metrics.listening.* port=(\d+)", worker.err.read_bytes())
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{int(port)}{path}") as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        with refused:
            return str(refused.read().decode())


def test_the_heartbeat_file_has_no_secret(scene: Scene) -> None:
    """It lies where other containers of a pod may read it."""
    text = (scene.folder / "text.heartbeat").read_text()
    assert "event loop" in text
    assert not scene.canaries.found_in(text)


def test_no_process_list_shows_a_secret(scene: Scene) -> None:
    """Command lines are for everybody to read: ours, those of servers and of helpers."""
    lines = [told for told in map(command_line, Path("/proc").iterdir()) if told]
    assert any(b"imbi-worker" in line for line in lines)
    assert not scene.canaries.found_in(b"\n".join(lines))


def command_line(process: Path) -> bytes:
    if not process.name.isdigit() or process.name == str(os.getpid()):
        return b""
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        # It has ended meanwhile.
        return b""


def test_secrets_given_by_files_are_in_no_environment(scene: Scene) -> None:
    """A worker that reads them from files shows none to who may read its environment."""
    worker = scene.processes["files"]
    environment = Path(f"/proc/{worker.child.pid}/environ").read_bytes()
    assert b"IMBI_WORKER_SIGNING_KEY_FILE" in environment
    assert not scene.canaries.found_in(environment)
    assert b"worker.started" in worker.said
    assert not scene.canaries.found_in(worker.said)


def test_no_key_of_redis_that_outlives_its_job_has_a_secret(scene: Scene) -> None:
    """Streams, records, results and groups of errors; only a dead letter keeps body and event.

    It needs them to be replayed. Neither has ever held a credential.
    """
    until_nothing_waits(scene)
    found = scene.do(lambda redis: found_by_key(scene, redis))
    assert keys.OUTCOMES in found
    others = {name: told for name, told in found.items() if not name.startswith(OF_THE_JOB)}
    assert {name: told for name, told in others.items() if told} == {}
    kept = {name: told for name, told in found.items() if name.startswith(OF_THE_JOB)}
    assert set().union(*kept.values()) == {"config", "header", "payload"}
    dead = scene.do(ids_of_the_dead)
    assert {name.removeprefix(keys.BODY) for name in kept if name.startswith(keys.BODY)} == dead


def test_with_the_last_dead_letter_the_last_secret_is_gone(scene: Scene) -> None:
    """Discarded, nothing of them is left but what they came to. On a copy: others need them."""
    until_nothing_waits(scene)
    scene.do(copied)
    there = replace(scene, redis_url=f"{scene.redis_url.removesuffix('/0')}/1")
    command = [COMMAND, "dead", "discard", "--all-matching", "--reason", "a look", "--yes"]
    while there.do(ids_of_the_dead):
        subprocess.run(  # noqa: S603 - our own command
            command,
            env={**scene.environment, "REDIS_URL": there.redis_url},
            check=True,
            capture_output=True,
            timeout=150,
        )
    found = there.do(lambda redis: found_by_key(scene, redis))
    assert any(name.startswith(keys.DELIVERY) for name in found)
    assert {name: told for name, told in found.items() if told} == {}


async def copied(redis: Redis) -> None:
    """Every key into database 1."""
    async for name in redis.scan_iter(count=1000):
        await redis.copy(name, name, destination_db=1, replace=True)


async def ids_of_the_dead(redis: Redis) -> set[str]:
    return {one.decode() for one in await redis.zrange(keys.DEAD, 0, -1)}


async def found_by_key(scene: Scene, redis: Redis) -> dict[str, set[str]]:
    """What is found in each key, its name included."""
    return {
        name.decode("utf-8", "replace"): scene.canaries.found_in(
            b"\n".join([name, *[part async for part in parts(redis, name)]])
        )
        async for name in redis.scan_iter(count=1000)
    }


async def parts(redis: Redis, name: bytes) -> AsyncIterator[bytes]:
    """Every name and value that a key holds."""
    read = READERS[await redis.type(name)]
    for part in await read(redis, name):
        yield part


async def of_string(redis: Redis, name: bytes) -> list[bytes]:
    return [await redis.get(name) or b""]


async def of_hash(redis: Redis, name: bytes) -> list[bytes]:
    return [part for pair in (await redis.hgetall(name)).items() for part in pair]


async def of_zset(redis: Redis, name: bytes) -> list[bytes]:
    return list(await redis.zrange(name, 0, -1))


async def of_list(redis: Redis, name: bytes) -> list[bytes]:
    return list(await redis.lrange(name, 0, -1))


async def of_stream(redis: Redis, name: bytes) -> list[bytes]:
    entries = await redis.xrange(name)
    return [part for _, entry in entries for pair in entry.items() for part in pair]


# No key of ours is of another type; `none` has expired meanwhile.
READERS: Final[Mapping[bytes, Callable[[Redis, bytes], Awaitable[list[bytes]]]]] = {
    b"string": of_string,
    b"hash": of_hash,
    b"zset": of_zset,
    b"list": of_list,
    b"stream": of_stream,
    b"none": of_list,
}
