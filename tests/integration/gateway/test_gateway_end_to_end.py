"""The whole way: the gateway's call, a worker, the row; beside what the gateway does today."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from gateway import SOON, a_rule, an_event
from redis.asyncio import Redis

from contract.gateway_today import GatewayToday
from imbi_sdk import registry
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.queue import ActionQueue, OutcomeConsumer, OutcomeRecord
from imbi_sdk.registry import load_plugins
from imbi_sdk.testing import fresh_encryption
from integration.engine import probe
from integration.engine.room import Room
from waiting import until


@pytest.fixture
def encryption() -> Iterator[TokenEncryption]:
    """The probe plugin is installed, for the worker and for the model of the gateway."""
    kept = dict(registry._registry)
    with fresh_encryption() as encryption, probe.installed():
        yield encryption
    registry._registry.clear()
    registry._registry.update(kept)


@pytest.fixture
async def room(redis_url: str, encryption: TokenEncryption) -> Any:
    room = Room(redis_url)
    yield room
    await room.redis.aclose()


def acts(ordinal: int, **config: Any) -> dict[str, Any]:
    return a_rule("probe#act", ordinal, json.dumps({"label": str(ordinal)} | config))


async def one_record(redis: Redis) -> OutcomeRecord:
    found: list[OutcomeRecord] = []
    consumer = OutcomeConsumer(redis, name="c-1")

    async def is_there() -> bool:
        found.extend(await consumer.read(block=SOON))
        return bool(found)

    await until(is_there)
    await consumer.acknowledge(found)
    (record,) = found
    return record


async def hand_over(room: Room, *rules: dict[str, Any]) -> None:
    """As the gateway of the other tests does, with the key the worker has."""
    queue = ActionQueue(room.redis, signer=room.signer)
    await queue.enqueue_handlers(
        org_slug="org",
        project_id="p-1",
        project_slug="api",
        team_slug="team",
        service_slug="probe",
        service_endpoint="https://probe.example.com",
        external_identifier="api",
        event=an_event(),
        user_id="ann@example.com",
        rules=rules,
        plugins_by_slug={},
        outcomes=[],
        event_row={"id": "row-1", "recorded_at": "2026-11-22T15:30:00Z"},
    )


def untimed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without durations and without what stands behind a text both begin with."""
    return [
        {name: _head(value) for name, value in line.items() if name != "duration_ms"}
        for line in lines
    ]


def _head(text: str) -> str:
    return re.sub(r"^(invalid handler_config):.*", r"\1", text, flags=re.DOTALL)


async def test_the_feed_reads_as_it_does_today(
    room: Room, redis: Redis, encryption: TokenEncryption
) -> None:
    """The same rules give the same lines in the same order; one that fails stops no other."""
    rules = (
        acts(1),
        a_rule("probe#nothing", 2),
        a_rule("probe#act", 3, "{"),
        acts(4, does="permanent"),
        acts(5),
    )
    today = await GatewayToday(encryption, {}).run(rules, an_event())
    await OutcomeConsumer(redis, name="c-1").register()
    await hand_over(room, *rules)
    async with room.worker():
        record = await one_record(redis)
    assert untimed(record.handlers()) == untimed(
        [line.model_dump(exclude_none=True) for line in today]
    )
    timed = [line.duration_ms is not None for line in record.outcomes]
    assert timed == [line.duration_ms is not None for line in today]
    assert [outcome.status for outcome in record.outcomes] == [
        "succeeded",
        "skipped",
        "skipped",
        "failed",
        "succeeded",
    ]


async def test_what_fails_for_a_moment_is_told_as_it_ends(
    room: Room, redis: Redis, encryption: TokenEncryption
) -> None:
    """Today the first failure is the end; here the rule after it waits, and both succeed."""
    rules = (acts(1, fails=2), acts(2))
    today = await GatewayToday(encryption, {}).run(rules, an_event())
    assert [line.status for line in today] == ["failed", "succeeded"]
    probe.reset()
    await OutcomeConsumer(redis, name="c-1").register()
    await hand_over(room, *rules)
    async with room.worker():
        record = await one_record(redis)
    assert [line.status for line in record.outcomes] == ["succeeded", "succeeded"]
    assert probe.JOURNAL.of("start") == ["1", "1", "1", "2"]


async def test_what_an_action_is_given_is_what_the_gateway_had(
    room: Room, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Context, identifier and event, each as it was handed over."""
    given: list[dict[str, Any]] = []

    async def look(**keywords: Any) -> None:
        given.append(keywords)

    monkeypatch.setattr(probe, "act", look)
    load_plugins(builtins=(probe.Probe,))
    await OutcomeConsumer(redis, name="c-1").register()
    await hand_over(room, acts(1))
    async with room.worker():
        await one_record(redis)
    (call,) = given
    context = call["ctx"]
    assert call["external_identifier"] == "api"
    assert call["event"] == an_event()
    assert (context.project_id, context.project_slug) == ("p-1", "api")
    assert (context.org_slug, context.team_slug) == ("org", "team")
    assert context.actor_user_id == "ann@example.com"
    assert context.assignment_options == {"service_slug": "probe"}
