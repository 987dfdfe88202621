"""`actions run`: one action here, past the queue."""

import json
from pathlib import Path
from typing import Any

import pytest
from station import Station

UPDATE = "gateway-actions#update_project"
EVENT = {
    "type": "push",
    "third_party_service": "github",
    "attributed_to": "",
    "metadata": {"webhook_id": "wh-1", "headers": {}},
    "payload": {"b": "main"},
}
GOOD = '[{"path": "/description", "from": "/payload/b"}]'


@pytest.fixture
def event(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(EVENT))
    return str(path)


def config(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.json"
    path.write_text(text)
    return str(path)


def run(station: Station, *arguments: str) -> tuple[int, dict[str, Any]]:
    result = station.call("actions", "run", *arguments, "--json")
    return result.exit_code, json.loads(result.stdout or result.stderr)


def test_a_dry_run_calls_nothing(station: Station, event: str, tmp_path: Path) -> None:
    """It says that config and credentials are there."""
    code, told = run(
        station, UPDATE, "--event", event, "--config", config(tmp_path, GOOD), "--dry-run"
    )
    assert (code, told["outcome"]) == (0, "ready")
    assert station.lines("jobs", "list") == []


def test_what_cannot_run_is_told_before_anything_is_called(
    station: Station, event: str, tmp_path: Path
) -> None:
    """An unknown handler, a config that does not fit, an event that is none."""
    assert run(station, "nope#nothing", "--event", event)[0] == 3
    code, told = run(station, UPDATE, "--event", event, "--config", config(tmp_path, '[{"a": 1}]'))
    assert code == 2
    assert "plugins schema" in told["error"]["hint"]
    assert run(station, UPDATE, "--event", config(tmp_path, "{}"))[0] == 2


def test_a_failure_is_told_as_a_worker_would_take_it(
    station: Station, event: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers there: a worker would try again, and the exit code is 1."""
    monkeypatch.setenv("ACTIONS_IMBI_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ACTIONS_IMBI_TOKEN", "canary-4f1d-do-not-leak")
    arguments = (UPDATE, "--event", event, "--config", config(tmp_path, GOOD), "--org", "o")
    code, told = run(station, *arguments)
    assert (code, told["outcome"]) == (1, "retry")
    shown = station.call("actions", "run", *arguments)
    assert "Traceback" in shown.stdout
    assert "canary-4f1d" not in shown.output + json.dumps(told)
