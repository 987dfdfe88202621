"""`check` against real servers."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bolt import Bolt
from redis.asyncio import Redis
from station import Station

from imbi_sdk.encryption import TokenEncryption
from imbi_worker.graph import GraphAddress
from imbi_worker.probes import Check, Health, Heartbeat


@pytest.fixture
def healthy(
    station: Station, graph_address: GraphAddress, monkeypatch: pytest.MonkeyPatch
) -> Station:
    """Everything a worker needs, and one worker."""
    Bolt(graph_address).is_configured(monkeypatch)
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


def findings(station: Station, code: int, *options: str) -> dict[str, dict[str, Any]]:
    result = station.call("check", *options, "--json")
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
        "Redis rights",
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


@pytest.fixture
def heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a worker that is alive and has no Redis."""
    file = tmp_path / "heartbeat.json"
    alive = Health((Check("event loop", is_ok=True, detail="turns"),))
    away = Check("Redis", is_ok=False, detail="answered a claim 31 s ago")
    graph = Check("graph", is_ok=False, detail="does not answer", counts=False)
    Heartbeat("pod-1", time.time(), alive, Health((away, graph))).write(file)
    monkeypatch.setenv("IMBI_WORKER_HEARTBEAT_FILE", str(file))
    return file


def test_a_probe_reads_the_workers_file(station: Station, heartbeat: Path) -> None:
    """Alive, and not ready; what does not count is a warning."""
    assert findings(station, 0, "--live") == {
        "event loop": {"check": "event loop", "status": "ok", "detail": "turns", "hint": ""}
    }
    found = findings(station, 1, "--ready")
    assert {name: line["status"] for name, line in found.items()} == {
        "Redis": "failed",
        "graph": "warning",
    }
    text = station.call("check", "--ready").stdout.splitlines()
    assert text[0].split() == ["Redis", "failed", "answered", "a", "claim", "31", "s", "ago"]


def test_a_probe_without_a_file_is_a_mistake(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which variable to set; so do two questions at once."""
    monkeypatch.delenv("IMBI_WORKER_HEARTBEAT_FILE", raising=False)
    result = station.call("check", "--live")
    assert result.exit_code == 2
    assert "IMBI_WORKER_HEARTBEAT_FILE" in result.stderr
    assert station.call("check", "--live", "--fleet").exit_code == 2


def test_the_fleet_is_counted_by_its_heartbeats(healthy: Station) -> None:
    """One beats; two were asked for; and a duration that is none is a mistake."""
    assert findings(healthy, 0, "--fleet")["fleet"]["detail"] == "1 heard of within 30 s, 1 needed"
    assert findings(healthy, 1, "--fleet", "--at-least", "2")["fleet"]["status"] == "failed"
    assert healthy.call("check", "--fleet", "--within", "soon").exit_code == 2


def test_a_fleet_nobody_can_ask_about_is_a_failure(
    healthy: Station, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """Redis away, or no address at all: said so, without a password."""
    monkeypatch.setenv("REDIS_URL", f"redis://user:{canary}@127.0.0.1:1")
    found = findings(healthy, 1, "--fleet")["fleet"]
    assert "Redis does not answer" in found["detail"]
    assert canary not in str(found)
    monkeypatch.delenv("REDIS_URL")
    assert "REDIS_URL" in findings(healthy, 1, "--fleet")["fleet"]["detail"]


def test_a_probe_imports_next_to_nothing() -> None:
    """It runs every few seconds in every pod."""
    script = (
        "import sys, imbi_worker.cli.check\n"
        "heavy = {'pydantic', 'redis', 'neo4j', 'aiohttp', 'structlog', 'prometheus_client',"
        " 'opentelemetry', 'imbi_sdk'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - a script of our own
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
