"""`doctor`: every finding has its reason in the world, and says what to do."""

import json
from datetime import timedelta
from typing import Any

import pytest
from bolt import Bolt
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from station import Station

from imbi_sdk.encryption import TokenEncryption
from imbi_worker.graph import SCHEMA, GraphAddress, Neo4jGraph, apply_schema
from imbi_worker.operations.doctor import _clock, pulse_findings
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.health import RedisPulse


@pytest.fixture
def everything(
    station: Station, graph_address: GraphAddress, monkeypatch: pytest.MonkeyPatch
) -> Station:
    Bolt(graph_address).is_configured(monkeypatch)
    return station


def look(station: Station) -> tuple[int, dict[str, dict[str, Any]]]:
    result = station.call("doctor", "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return result.exit_code, {one["check"]: one for one in found}


async def store(address: GraphAddress, ciphertext: str) -> None:
    graph = Neo4jGraph.at(address)
    try:
        await apply_schema(graph)

        async def work(transaction: Any) -> None:
            await transaction.run(
                "CREATE (:Plugin {id: 'pl-1', plugin_slug: 'demo', plugin_configuration: $text})",
                {"text": ciphertext},
            )

        await graph.connection.write(work)
    finally:
        await graph.close()


def test_a_healthy_installation_is_told_so(
    everything: Station, graph_address: GraphAddress, canary: str
) -> None:
    """Every check is there, none fails, and the decrypted canary stands nowhere."""
    text = TokenEncryption.get_instance().encrypt(json.dumps({"token": canary}))
    assert text is not None
    everything.do(lambda _: store(graph_address, text))
    everything.beat()
    code, found = look(everything)
    assert code == 0
    assert {name for name, one in found.items() if one["status"] == "failed"} == set()
    assert {"Redis scripts", "clock", "graph schema", "plugin skew"} <= set(found)
    assert found["canary Plugin"]["detail"] == "the key opens 1 of 1 looked at"
    shown = everything.call("doctor")
    assert canary not in shown.output
    assert text not in shown.output


def test_a_secret_under_another_key_is_found(
    everything: Station, graph_address: GraphAddress, canary: str
) -> None:
    """By its plugin's id; the hint names the variable."""
    foreign = Fernet(Fernet.generate_key()).encrypt(canary.encode()).decode()
    everything.do(lambda _: store(graph_address, foreign))
    code, found = look(everything)
    assert code == 1
    assert "pl-1" in found["canary Plugin"]["detail"]
    assert "IMBI_WORKER_OLD_ENCRYPTION_KEYS" in found["canary Plugin"]["hint"]


def test_a_graph_without_a_schema_is_told_in_a_short_line(
    everything: Station, graph_address: GraphAddress
) -> None:
    """Some tests before may have created it: what is missing is counted, or named if little."""

    async def drop(_: object) -> None:
        graph = Neo4jGraph.at(graph_address)

        async def work(transaction: Any) -> None:
            for one in SCHEMA:
                kind = "CONSTRAINT" if one.is_unique else "INDEX"
                await transaction.run(f"DROP {kind} {one.name} IF EXISTS")

        try:
            await graph.connection.write(work)
        finally:
            await graph.close()

    everything.do(drop)
    found = look(everything)[1]["graph schema"]
    assert found["status"] == "warning"
    assert found["detail"] == "missing: 4 constraints and 4 indexes"
    assert "graph schema" in found["hint"]


def test_workers_that_offer_different_plugins_are_named(everything: Station) -> None:
    """A rollout looks so, and so does a forgotten package."""
    everything.beat("w1")
    Station(everything.url, slugs=("github",)).beat("w2")
    _, found = look(everything)
    assert found["plugin skew"]["status"] == "warning"
    assert "demo is not on w2" in found["plugin skew"]["detail"]
    assert found["plugin skew"]["hint"]


def test_nothing_set_is_said_and_not_thrown(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without addresses and keys every finding says which variable."""
    for name in ("REDIS_URL", "IMBI_AUTH_ENCRYPTION_KEY", "IMBI_WORKER_SIGNING_KEY"):
        monkeypatch.delenv(name)
    TokenEncryption.reset_instance()
    code, found = look(station)
    assert code == 1
    assert "REDIS_URL" in found["Redis"]["detail"]
    assert "NEO4J_URL" in found["graph"]["detail"]
    assert "IMBI_AUTH_ENCRYPTION_KEY" in found["encryption key"]["hint"]
    shown = station.call("doctor")
    assert "What to do" in shown.stdout


def test_a_redis_that_is_away_is_one_finding(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its other properties are not guessed at."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    code, found = look(station)
    assert code == 1
    assert found["Redis"]["status"] == "failed"
    assert "Redis role" not in found


async def test_a_user_who_may_run_no_script_is_found(redis: Redis) -> None:
    """That says nothing of others: it is not seen, and so is whose rights they are."""
    await redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py 5.3 types no raw command
        "ACL", "SETUSER", "mute", "on", ">mute", "~*", "+@all", "-eval", "-evalsha"
    )
    kwargs = {**redis.connection_pool.connection_kwargs, "username": "mute", "password": "mute"}
    pool = type(redis.connection_pool)(
        connection_class=redis.connection_pool.connection_class, **kwargs
    )
    try:
        async with Redis(connection_pool=pool) as mute:
            found = {one.check: one for one in await pulse_findings(Inspection(mute))}
    finally:
        await pool.aclose()
        await redis.execute_command("ACL", "DELUSER", "mute")  # type: ignore[no-untyped-call]  # the same
    assert found["Redis scripts"].status == "warning"
    assert "eval" in found["Redis scripts"].detail
    assert "EVAL" in found["Redis scripts"].hint


def test_a_clock_that_is_far_off_fails() -> None:
    """Retries go by the clocks of the workers."""

    def status(seconds: float) -> str:
        pulse = RedisPulse(
            round_trip=timedelta(milliseconds=1),
            ahead=timedelta(seconds=seconds),
            role="master",
            is_cluster=False,
            used_bytes=1,
            most_bytes=None,
            refusal="",
        )
        return _clock(pulse).status

    assert [status(0.2), status(-3), status(60), status(-60)] == [
        "ok",
        "warning",
        "failed",
        "failed",
    ]
