"""What a worker, a gateway and the checks say when Redis does not let them."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from guard import Guard, digest, password_of
from imbi_sdk.queue import QueueError, keys
from imbi_worker.operations.checks import Finding, redis_findings, rights_finding
from imbi_worker.operations.doctor import pulse_findings
from imbi_worker.queue.inspection import Inspection
from integration.engine import probe
from integration.engine.room import Room
from waiting import until


@pytest.fixture(autouse=True)
def _probe() -> Iterator[None]:
    with probe.installed():
        yield


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    logging.getLogger().setLevel(logging.WARNING)
    with capture_logs() as lines:
        yield lines


@pytest.fixture
async def room(guard: Guard) -> AsyncIterator[Room]:
    room = Room(guard.url("imbi-gateway"))
    yield room
    await room.redis.aclose()


def told(log: list[EventDict], event: str) -> list[EventDict]:
    return [line for line in log if line["event"] == event]


async def test_a_worker_that_lacks_rights_names_them_and_claims_nothing(
    guard: Guard, room: Room, log: list[EventDict]
) -> None:
    """All at once and once; it is not ready, and goes on by itself when it has them."""
    guard.tell("ACL", "SETUSER", "imbi-worker", "-xadd", "-zscan", "resetkeys", "~imbi:*")
    job = await room.enqueue({"label": "a"})
    before = await room.job(job.jobs[0].id)
    async with room.worker(url=guard.url("imbi-worker")) as engine:
        await until(lambda: len(told(log, "redis.forbidden")) == 1)
        assert not engine.vitals.hears_redis
        (line,) = told(log, "redis.forbidden")
        assert line["log_level"] == "error"
        for right in ("xadd", "zscan", "read arq:job:*", "write arq:result:*", "write arq:abort"):
            assert right in line["detail"]
        assert "imbi:" not in line["detail"].replace("imbi-worker", "")
        assert "users.acl" in line["hint"]
        assert await room.job(job.jobs[0].id) == before
        guard.tell("ACL", "LOAD")
        await room.until_ended(job)
        assert engine.vitals.hears_redis
    assert len(told(log, "redis.forbidden")) == 1


async def test_a_right_taken_from_a_running_worker_is_told_by_its_name(
    guard: Guard, room: Room, log: list[EventDict]
) -> None:
    """Redis itself names no key; the worker asks for what it lacks."""
    async with room.worker(url=guard.url("imbi-worker")) as engine:
        await until(lambda: engine.is_connected)
        guard.tell("ACL", "SETUSER", "imbi-worker", "-zrangebyscore")
        await until(lambda: any("lacks" in line["detail"] for line in told(log, "redis.forbidden")))
        assert "zrangebyscore" in told(log, "redis.forbidden")[-1]["detail"]
        guard.tell("ACL", "LOAD")
        await until(lambda: engine.is_connected)
        await room.until_ended(await room.enqueue({"label": "a"}))


async def test_a_worker_with_a_wrong_password_says_so_and_goes_on_when_it_is_right(
    guard: Guard, room: Room, log: list[EventDict]
) -> None:
    """As during a rotation in the wrong order; no password stands in the log."""
    new = "the-new-password"
    job = await room.enqueue({"label": "a"})
    async with room.worker(url=guard.url("imbi-worker", new)) as engine:
        await until(lambda: len(told(log, "redis.refused")) == 1)
        assert not engine.is_connected
        (line,) = told(log, "redis.refused")
        assert "invalid username-password pair" in line["detail"]
        assert "REDIS_URL" in line["hint"]
        guard.tell("ACL", "SETUSER", "imbi-worker", f"#{digest(new)}")
        await room.until_ended(job)
    text = str(log)
    assert new not in text
    assert password_of("imbi-worker") not in text


async def test_a_password_is_rotated_while_everything_runs(guard: Guard, room: Room) -> None:
    """Both are good for a while; who is connected stays so, and who comes takes the new one."""
    new = "the-new-password"
    async with room.worker(url=guard.url("imbi-worker")):
        guard.tell("ACL", "SETUSER", "imbi-worker", f"#{digest(new)}")
        async with room.worker(url=guard.url("imbi-worker", new)) as second:
            await until(lambda: second.is_connected)
        guard.tell("ACL", "SETUSER", "imbi-worker", f"!{digest(password_of('imbi-worker'))}")
        await room.until_ended(await room.enqueue({"label": "a"}))
    guard.tell("ACL", "SAVE")
    text = guard.server.file.read_text(encoding="utf-8")
    assert digest(new) in text
    assert digest(password_of("imbi-worker")) not in text
    assert new not in text


async def test_a_gateway_that_lacks_a_right_hears_which(guard: Guard, room: Room) -> None:
    """And not that Redis is away: to repeat it would help nobody."""
    guard.tell("ACL", "SETUSER", "imbi-gateway", "-evalsha")
    with pytest.raises(QueueError, match="evalsha") as refused:
        await room.enqueue({"label": "a"})
    assert type(refused.value) is QueueError


async def findings(guard: Guard, user: str) -> dict[str, Finding]:
    async with guard.client(user) as client:
        inspection = Inspection(client, queue=keys.QUEUE)
        found = [*await redis_findings(inspection), *await pulse_findings(inspection)]
    return {one.check: one for one in found}


async def test_the_checks_tell_whose_rights_a_user_has(guard: Guard) -> None:
    """A role by its name; a viewer changes nothing, which is no failure."""
    for user in ("imbi-worker", "imbi-operator", "imbi-gateway", "admin"):
        rights = (await findings(guard, user))["Redis rights"]
        assert rights.status == "ok"
        assert user == "admin" or user in rights.detail
    viewer = await findings(guard, "imbi-viewer")
    assert "failed" not in {one.status for one in viewer.values()}
    assert viewer["Redis rights"].status == viewer["Redis scripts"].status == "warning"
    assert "eval" in viewer["Redis scripts"].detail


async def test_the_checks_name_what_a_user_lacks(guard: Guard) -> None:
    """Of the role that it comes nearest to."""
    guard.tell("ACL", "SETUSER", "imbi-operator", "-zcard")
    rights = (await findings(guard, "imbi-operator"))["Redis rights"]
    assert rights.status == "failed"
    assert rights.detail == "of what imbi-operator does it may not: zcard"


async def test_what_the_checks_may_not_see_they_say(guard: Guard) -> None:
    """Without INFO neither version nor memory nor disk is known, and nothing is guessed."""
    guard.tell("ACL", "SETUSER", "imbi-worker", "-info")
    found = await findings(guard, "imbi-worker")
    for name in ("Redis", "Redis memory", "Redis persistence", "Redis room"):
        assert found[name].status == "warning", found[name]
    assert "info" in found["Redis"].detail


async def test_a_user_who_may_run_no_script_is_told_apart(guard: Guard) -> None:
    """Whatever else it may do."""
    guard.tell("ACL", "SETUSER", "mute", "on", f"#{digest(password_of('mute'))}", "~*", "+@all")
    guard.tell("ACL", "SETUSER", "mute", "-eval", "-evalsha")
    async with guard.client("mute") as client:
        finding = await rights_finding(Inspection(client, queue=keys.QUEUE))
    assert finding.status == "warning"
    assert finding.detail == "it may run no scripts, so it changes nothing"
