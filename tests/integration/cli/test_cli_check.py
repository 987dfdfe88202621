"""`check` against real servers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis.asyncio import Redis
from station import Station

from imbi_sdk.encryption import TokenEncryption
from imbi_worker.graph import GraphAddress


@pytest.fixture
def healthy(
    station: Station, graph_address: GraphAddress, monkeypatch: pytest.MonkeyPatch
) -> Station:
    """Everything a worker needs, and one worker."""
    monkeypatch.setenv("NEO4J_URL", graph_address.url)
    monkeypatch.setenv("NEO4J_USER", graph_address.user or "")
    monkeypatch.setenv("NEO4J_PASSWORD", graph_address.password.get_secret_value())
    monkeypatch.setenv("NEO4J_DATABASE", graph_address.database)
    station.beat()
    return station


@pytest.fixture
def evicting(healthy: Station) -> Iterator[Station]:
    """A Redis that throws keys away when it is full."""

    def policy(name: str) -> None:
        async def work(redis: Redis) -> None:
            await redis.config_set("maxmemory-policy", name)

        healthy.do(work)

    policy("allkeys-lru")
    yield healthy
    policy("noeviction")


def findings(station: Station, code: int) -> dict[str, dict[str, Any]]:
    result = station.call("check", "--json")
    assert result.exit_code == code, result.output
    return {line["check"]: line for line in map(json.loads, result.stdout.splitlines())}


def test_a_healthy_place_passes_every_check(healthy: Station) -> None:
    """Exit code 0, and a line for each thing that was looked at."""
    found = findings(healthy, 0)
    assert list(found) == [
        "settings",
        "encryption key",
        "signing key",
        "Redis",
        "Redis memory",
        "Redis persistence",
        "layout",
        "workers",
        "graph",
        "plugins",
    ]
    # The tests' own server keeps nothing on disk, and is told so.
    expected = "ok" if "append-only" in found["Redis persistence"]["detail"] else "warning"
    assert found.pop("Redis persistence")["status"] == expected
    assert {line["status"] for line in found.values()} == {"ok"}
    assert "Valkey" in found["Redis"]["detail"] or "Redis" in found["Redis"]["detail"]


def test_no_worker_is_unhealthy(station: Station, healthy: Station) -> None:
    """Jobs would wait for ever."""

    async def leave(redis: Redis) -> None:
        await redis.delete("imbi:workers")

    healthy.do(leave)
    assert findings(healthy, 1)["workers"]["hint"] == "Start one with `imbi-worker run`."


def test_a_redis_that_evicts_is_unhealthy(evicting: Station) -> None:
    """An evicted job is a lost job."""
    found = findings(evicting, 1)["Redis memory"]
    assert (found["status"], found["detail"]) == ("failed", "maxmemory-policy is allkeys-lru")


def test_another_layout_is_unhealthy(healthy: Station) -> None:
    """Both numbers are named."""

    async def write(redis: Redis) -> None:
        await redis.set("imbi:layout", 99)

    healthy.do(write)
    assert "layout 99" in findings(healthy, 1)["layout"]["detail"]


def test_a_missing_key_is_unhealthy(healthy: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either key; the hint names the variable."""
    monkeypatch.delenv("IMBI_AUTH_ENCRYPTION_KEY")
    monkeypatch.setenv("IMBI_WORKER_SIGNING_KEY", "short")
    TokenEncryption.reset_instance()
    found = findings(healthy, 1)
    assert "IMBI_AUTH_ENCRYPTION_KEY" in found["encryption key"]["hint"]
    assert "shorter than" in found["signing key"]["detail"]


def test_unsigned_jobs_are_a_warning(healthy: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was chosen, so it is no failure."""
    monkeypatch.setenv("IMBI_WORKER_ACCEPT_UNSIGNED", "true")
    assert findings(healthy, 0)["signing key"]["status"] == "warning"


def test_servers_that_do_not_answer_are_findings_and_no_errors(
    healthy: Station, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """The whole table is printed, with what to look at and without a password."""
    monkeypatch.setenv("REDIS_URL", f"redis://user:{canary}@127.0.0.1:1")
    monkeypatch.setenv("NEO4J_URL", "bolt://127.0.0.1:1")
    result = healthy.call("check")
    assert result.exit_code == 1
    assert "Redis does not answer" in result.stdout
    assert "NEO4J_URL" in result.stdout
    assert canary not in result.output


def test_a_wrong_setting_is_a_finding(
    healthy: Station, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """Named by its variable, without its value."""
    monkeypatch.setenv("IMBI_WORKER_CONCURRENCY", canary)
    found = findings(healthy, 1)
    assert "IMBI_WORKER_CONCURRENCY" in found["settings"]["detail"]
    assert canary not in str(found)
