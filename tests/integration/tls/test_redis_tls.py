"""``rediss://``: certificates and names are verified, and what is wrong with them is said."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from door import Door, Open
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs
from structlog.typing import EventDict

from certificates import DAY, HOST, Authority
from guard import Guard, password_of
from imbi_sdk.queue import QueueUnavailable, keys
from imbi_worker.queue import RedisAddressError, connect, with_certificates
from imbi_worker.queue.connection import connect_blocking
from integration.dashboard.board import COMMAND, environment
from integration.engine import probe
from integration.engine.room import Room
from waiting import until


@pytest.fixture(autouse=True)
def _probe() -> Iterator[None]:
    with probe.installed():
        yield


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def trusted(url: str, authority: Authority, **files: Path) -> str:
    return with_certificates(SecretStr(url), ca_file=authority.file, **files).get_secret_value()


async def test_gateway_and_worker_work_through_tls(
    guard: Guard, open_door: Open, authority: Authority
) -> None:
    """Every connection of theirs, the watchdog's thread included, with its role and password."""
    door = await open_door(authority.server(authority.issue()))
    room = Room(trusted(door.url("imbi-gateway"), authority))
    async with room.worker(url=trusted(door.url("imbi-worker"), authority)) as engine:
        await room.until_ended(await room.enqueue({"label": "a"}))
        slow = await room.enqueue({"label": "b", "does": "sleep", "seconds": 1.2}, delivery="d2")
        (ended,) = await room.until_ended(slow)
        assert ended["state"] == "succeeded"
        assert engine.vitals.hears_redis
    await room.redis.aclose()
    assert guard.refused() == []


UNTRUSTED = {
    "another authority": ("not trusted", "IMBI_WORKER_REDIS_CA_FILE"),
    "another name": ("not valid for 'localhost'", "a name that stands in the certificate"),
    "expired": ("expired", "renew"),
}


async def door_of(kind: str, open_door: Open, authority: Authority) -> tuple[Door, Authority]:
    """A way to Redis that must not be taken, and who is believed on it."""
    match kind:
        case "another authority":
            directory = authority.directory / "other"
            directory.mkdir(exist_ok=True)
            context = authority.server(authority.issue())
            return await open_door(context), Authority(directory)
        case "another name":
            return await open_door(authority.server(authority.issue("redis.example"))), authority
        case _:
            expired = authority.issue(ends_in=-DAY)
            return await open_door(authority.server(expired)), authority


@pytest.mark.parametrize("kind", UNTRUSTED)
async def test_a_worker_takes_no_way_that_it_cannot_trust(
    open_door: Open, authority: Authority, log: list[EventDict], kind: str
) -> None:
    """It says what is wrong and what to do, is not ready, and sends no password to anybody."""
    door, believed = await door_of(kind, open_door, authority)
    room = Room(trusted(door.url("imbi-gateway"), believed))
    async with room.worker(url=trusted(door.url("imbi-worker"), believed)) as engine:
        await until(lambda: any(line["event"] == "redis.untrusted" for line in log))
        assert not engine.vitals.hears_redis
    await room.redis.aclose()
    (line,) = [line for line in log if line["event"] == "redis.untrusted"]
    detail, hint = UNTRUSTED[kind]
    assert detail in line["detail"]
    assert hint in line["hint"]
    assert password_of("imbi-worker") not in str(log)


@pytest.mark.parametrize("kind", UNTRUSTED)
async def test_a_gateway_hears_why_nothing_is_enqueued(
    open_door: Open, authority: Authority, kind: str
) -> None:
    """As an outage, to be answered with a 503, that names its reason."""
    door, believed = await door_of(kind, open_door, authority)
    room = Room(trusted(door.url("imbi-gateway"), believed))
    with pytest.raises(QueueUnavailable, match=UNTRUSTED[kind][0]):
        await room.enqueue({"label": "a"})
    await room.redis.aclose()


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
async def test_the_systems_authorities_are_asked_when_none_are_named(
    open_door: Open, authority: Authority, scheme: str
) -> None:
    """They do not know ours: nobody is trusted for want of a setting."""
    door = await open_door(authority.server(authority.issue()))
    redis = connect(SecretStr(door.url("imbi-worker", scheme=scheme)), queue=keys.QUEUE)
    with pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        await redis.ping()
    await redis.aclose()


async def test_an_address_is_verified_as_a_name_is(open_door: Open, authority: Authority) -> None:
    """By both clients: a certificate for the name does not do for the address."""
    context = authority.server(authority.issue(HOST))
    door = await open_door(context)
    url = SecretStr(trusted(door.url("imbi-worker", host="127.0.0.1"), authority))
    redis = connect(url, queue=keys.QUEUE)
    with pytest.raises(RedisConnectionError, match="IP address mismatch"):
        await redis.ping()
    await redis.aclose()
    with connect_blocking(url) as blocking, pytest.raises(RedisConnectionError, match="mismatch"):
        await asyncio.to_thread(blocking.ping)


async def test_a_redis_that_wants_a_certificate_gets_ours(
    open_door: Open, authority: Authority
) -> None:
    """Key and certificate in one file or in two; without one there is no way in."""
    door = await open_door(authority.server(authority.issue(), wants_client=True))
    ours = authority.issue("imbi-worker")
    url = door.url("imbi-worker")
    for files in ({"cert_file": ours}, {"cert_file": ours, "key_file": ours}):
        redis = connect(SecretStr(trusted(url, authority, **files)), queue=keys.QUEUE)
        assert await redis.ping()
        await redis.aclose()
    without = connect(SecretStr(trusted(url, authority)), queue=keys.QUEUE)
    with pytest.raises(RedisConnectionError):
        await without.ping()
    await without.aclose()


def test_certificates_for_an_address_without_tls_are_refused(authority: Authority) -> None:
    """Whoever names an authority believes that the connection is encrypted."""
    with pytest.raises(RedisAddressError, match="not rediss://"):
        trusted("redis://localhost", authority)


def test_a_file_without_certificates_is_named_at_once(authority: Authority, tmp_path: Path) -> None:
    """Not at each try, as an outage."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path, said in ((empty, "it holds none"), (tmp_path / "nowhere", "No such file")):
        for files in ({"ca_file": path}, {"cert_file": path}):
            url = with_certificates(SecretStr("rediss://localhost"), **files)
            with pytest.raises(RedisAddressError, match=f"{path.name}.*(?:{said}|cannot be used)"):
                connect(url, queue=keys.QUEUE)


@pytest.mark.parametrize("password", ["cret/x", "cret#x", "cret?x"])
def test_a_password_that_is_not_escaped_is_not_shown(password: str) -> None:
    """What cannot be read is not quoted: a piece of it may be the password."""
    url = SecretStr(f"rediss://imbi-worker:{password}@localhost:6379")
    with pytest.raises(RedisAddressError, match="%2F") as refused:
        connect(url, queue=keys.QUEUE)
    assert "cret" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_the_command_reads_the_authority_from_its_setting(
    open_door: Open, authority: Authority
) -> None:
    """`check` passes with it, and says without it which setting would help."""
    door = await open_door(authority.server(authority.issue()))
    url = door.url("imbi-worker")

    async def redis_of(**settings: str) -> dict[str, str]:
        done = await asyncio.to_thread(
            subprocess.run,
            [COMMAND, "check", "--json"],
            env=environment(REDIS_URL=url, **settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert password_of("imbi-worker") not in done.stdout + done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return {one["check"]: f"{one['status']}: {one['detail']}" for one in found}

    found = await redis_of(IMBI_WORKER_REDIS_CA_FILE=str(authority.file))
    assert found["Redis"].startswith("ok")
    assert found["Redis rights"] == "ok: all that imbi-worker does"
    found = await redis_of()
    assert found["Redis"].startswith("failed")
    assert "its certificate is not trusted" in found["Redis"]
    assert "IMBI_WORKER_REDIS_CA_FILE" in found["Redis"]
