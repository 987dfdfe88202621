"""The command line and the dashboard as the viewer and as the operator of Redis."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guard import Guard
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.queue import keys
from imbi_worker.cli.program import NOUNS, VERBS
from imbi_worker.dashboard.access import Role
from imbi_worker.dashboard.catalogue import ENDPOINTS
from imbi_worker.dashboard.pages import routes
from integration.cli.station import SIGNING_KEY, Station
from integration.dashboard.board import serving

API = "/api/v1"
# Commands by what they ask of Redis; WAITING, DEAD and DONE stand for jobs in these states.
READS = {
    *("status", "jobs list", "jobs show WAITING", "jobs why WAITING", "jobs tail", "dead list"),
    *("dead groups", "dead show DEAD", "deliveries list", "deliveries show delivery-1"),
    *(
        "workers list",
        "queue stats",
        "holds list",
        "audit tail",
        "check --fleet",
        "dead export --for-reading",
    ),
}
CHANGES = {
    "jobs cancel": "jobs cancel WAITING --yes",
    "jobs retry": "jobs retry WAITING --yes",
    "dead replay": "dead replay DEAD --yes",
    "dead discard": "dead discard OTHER --yes",
    "queue pause": "queue pause",
    "queue drain": "queue drain",
    "queue resume": "queue resume",
    "holds add": "holds add plugin:pl-9",
    "holds remove": "holds remove plugin:pl-1",
}
# They ask more than Redis, or nothing of it. An import has a test of its own, and to measure in
# another database is for the administrator.
ELSEWHERE = {
    *("dead import", "bench"),
    *("run", "demo", "dashboard", "doctor", "enqueue", "plugins list", "plugins show"),
    *("plugins schema", "plugins doctor", "plugins new", "actions run", "config show"),
    *(
        "config schema",
        "credentials check",
        "credentials list",
        "credentials set",
        "credentials rotate",
    ),
    *("tokens new", "graph schema"),
}


@pytest.fixture
def jobs(guard: Guard) -> dict[str, str]:
    """Jobs in several states, by what they are called above; a worker and a hold."""
    station = Station(guard.url("admin"))
    dead = station.enqueue("github#sync", projects=["p-1", "p-2"])
    station.bury()
    (done,) = station.enqueue("demo#work", delivery="delivery-2")
    station.succeed()
    (waiting,) = station.enqueue("demo#work", delivery="delivery-3")
    station.beat()
    with led_to(guard, "imbi-operator"):
        assert station.call("holds", "add", "plugin:pl-1", "--reason", "r").exit_code == 0
    guard.tell("ACL", "LOG", "RESET")
    return {"DEAD": dead[0], "OTHER": dead[1], "DONE": done, "WAITING": waiting}


@contextmanager
def led_to(guard: Guard, user: str) -> Iterator[None]:
    """The command line's own environment, with the address of *user*."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("IMBI_", "NEO4J_", "ACTIONS_", "REDIS_", "VALKEY_")):
                patch.delenv(name)
        patch.setenv("REDIS_URL", guard.url(user))
        patch.setenv("IMBI_WORKER_SIGNING_KEY", SIGNING_KEY)
        TokenEncryption.reset_instance()
        yield


def words(command: str, jobs: dict[str, str]) -> list[str]:
    return [jobs.get(word, word) for word in command.split()]


def test_every_command_is_known_to_these_tests() -> None:
    """A new one is looked at here, before a role lacks a right for it."""
    nouns = {f"{noun} {verb}" for noun, (_, verbs) in NOUNS.items() for verb in verbs}
    listed = {" ".join(read.split()[:2]) for read in READS} - {"check --fleet"}
    assert listed | set(CHANGES) | ELSEWHERE | {"check"} == nouns | set(VERBS)


def test_a_viewer_reads_everything(guard: Guard, jobs: dict[str, str]) -> None:
    """By every command that reads, and Redis refuses none of its calls."""
    station = Station(guard.url("imbi-viewer"))
    with led_to(guard, "imbi-viewer"):
        for read in sorted(READS):
            result = station.call(*words(read, jobs), "--json")
            assert result.exit_code == 0, (read, result.output)
    assert guard.refused() == []


@pytest.mark.parametrize("command", CHANGES.values())
def test_a_change_is_refused_to_a_viewer_with_the_reason(
    guard: Guard, jobs: dict[str, str], command: str
) -> None:
    """Exit code 4, the user, the command of Redis and what to do; nothing was changed."""
    before = guard.everything()
    with led_to(guard, "imbi-viewer"):
        call = (*words(command, jobs), "--reason", "r", "--json")
        result = Station(guard.url("imbi-viewer")).call(*call)
    assert result.exit_code == 4, result.output
    error = json.loads(result.stderr.splitlines()[-1])["error"]
    assert error["kind"] == "Refused"
    assert "imbi-viewer has no permissions to run the 'evalsha' command" in error["message"]
    assert "deploy/redis/users.acl" in error["hint"]
    assert guard.everything() == before


def test_an_operator_changes_what_may_be_changed(guard: Guard, jobs: dict[str, str]) -> None:
    """And enqueues by hand."""
    station = Station(guard.url("imbi-operator"))
    with led_to(guard, "imbi-operator"):
        for name in ("dead replay", "dead discard", "holds add", "holds remove", "queue pause"):
            result = station.call(*words(CHANGES[name], jobs), "--reason", "r")
            assert result.exit_code == 0, (name, result.output)
        for name in ("queue resume", "queue drain", "jobs cancel"):
            result = station.call(*words(CHANGES[name], jobs), "--reason", "r")
            assert result.exit_code == 0, (name, result.output)
        (other,) = station.enqueue("demo#work", delivery="delivery-4")
        # Nothing to bring forward: it is due, or held.
        result = station.call("jobs", "retry", other, "--reason", "r", "--yes")
        assert result.exit_code in {0, 4}, result.output
        # The dead letter was replayed.
        for read in sorted(READS - {"dead show DEAD"}):
            assert station.call(*words(read, jobs), "--json").exit_code == 0, read
    assert guard.refused() == []


def test_the_dashboard_of_a_viewer_shows_all_and_changes_nothing(
    guard: Guard, jobs: dict[str, str], tmp_path: Path
) -> None:
    """Every GET of the API and every page; a change is a 409 with the reason."""
    parts = {"job": jobs["DEAD"], "delivery": "delivery-1", "plugin": "gateway-actions"}
    asked = {
        "/schema": "?handler=gateway-actions%23update_project",
        "/jobs/{job}": "",
    }
    with serving(guard.url("imbi-viewer"), tmp_path / "log") as board:
        for endpoint in ENDPOINTS:
            if endpoint.method != "GET":
                continue
            path = f"{API}{endpoint.path.format(**parts)}{asked.get(endpoint.path, '')}"
            answer = board.get(path, Role.ADMIN)
            assert answer.status == 200, (path, answer.text)
        for page in routes._PAGES:
            path = re.sub(r"{(\w+):path}", lambda match: parts[match[1]], page)
            assert board.get(path).status == 200, path
        for stream in (keys.OUTCOMES, keys.AUDIT):
            tail = ("XREAD", "COUNT", "1", "BLOCK", "1", "STREAMS", stream, "$")
            assert guard.may("imbi-viewer", *tail) == ""
        assert board.get("/readyz").status == 200
        # The checks ask whether this user may run scripts, and say that it may not.
        asked_for = {f"imbi-viewer: command {name}" for name in ("eval", "evalsha")}
        assert set(guard.refused()) <= asked_for
        changes = {
            "/jobs/cancel": {"jobs": [jobs["WAITING"]]},
            "/dead/replay": {"jobs": [jobs["DEAD"]]},
            "/queue/pause": {},
            "/holds/remove": {"scope": "plugin:pl-1"},
        }
        for path, wish in changes.items():
            answer = board.post(f"{API}{path}", wish | {"reason": "r"}, Role.ADMIN)
            assert answer.status == 409, answer.text
            assert "imbi-viewer has no permissions" in answer.json["detail"]
            assert "users.acl" in answer.json["hint"]


def test_the_dashboard_of_an_operator_changes(
    guard: Guard, jobs: dict[str, str], tmp_path: Path
) -> None:
    """By the same calls."""
    with serving(guard.url("imbi-operator"), tmp_path / "log") as board:
        wish = {"jobs": [jobs["WAITING"]], "reason": "r"}
        assert board.post(f"{API}/jobs/cancel", wish).status == 200
        assert board.post(f"{API}/queue/pause", {"reason": "r"}).status == 200
        assert board.get(f"{API}/audit").json
    assert guard.refused() == []


@pytest.mark.parametrize(("user", "code"), [("imbi-operator", 0), ("imbi-viewer", 4)])
def test_an_export_is_brought_back_by_an_operator_only(
    guard: Guard,
    jobs: dict[str, str],
    tmp_path: Path,
    encryption_key: str,
    *,
    user: str,
    code: int,
) -> None:
    """A viewer may write one, and not read one in."""
    file = tmp_path / "letters.ndjson"
    with led_to(guard, user), pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMBI_AUTH_ENCRYPTION_KEY", encryption_key)
        station = Station(guard.url(user))
        exported = station.call("dead", "export", "--output", str(file))
        assert exported.exit_code == 0, exported.output
        guard.reset()
        result = station.call("dead", "import", str(file), "--reason", "r")
        assert result.exit_code == code, result.output
    TokenEncryption.reset_instance()
    assert bool(guard.tell("ZCARD", keys.DEAD)) == (code == 0)
    assert [one for one in guard.refused() if "imbi-operator" in one] == []
