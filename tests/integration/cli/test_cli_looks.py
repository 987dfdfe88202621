"""Deliveries, workers, ends as they come, settings: what an operator looks at."""

import json
import subprocess
from contextlib import ExitStack

import jsonschema
import pytest
from station import Station
from terminal import COMMAND


@pytest.fixture
def delivered(station: Station) -> Station:
    """Two rules by two projects: one has succeeded, three wait."""
    station.enqueue("github#sync", "demo#work", delivery="d-1", projects=["p-1"])
    station.succeed()
    station.enqueue("github#sync", "github#label", delivery="d-2", projects=["p-1", "p-2"])
    return station


def test_deliveries_are_listed_with_the_states_of_their_jobs(delivered: Station) -> None:
    """Newest first, page by page."""
    found = delivered.lines("deliveries", "list")
    assert [(one["id"], one["open"], len(one["jobs"])) for one in found] == [
        ("d-2", 4, 4),
        ("d-1", 0, 2),
    ]
    first = delivered.call("deliveries", "list", "--limit", "1", "--json")
    cursor = json.loads(first.stderr)["cursor"]
    (second,) = delivered.lines("deliveries", "list", "--limit", "1", "--cursor", cursor)
    assert second["id"] == "d-1"


@pytest.mark.parametrize("cursor", ["dead:1", "deliveries:x", "deliveries:-1", "deliveries:²", "1"])
def test_a_cursor_of_another_list_is_refused(delivered: Station, cursor: str) -> None:
    """And says how to begin again."""
    result = delivered.call("deliveries", "list", "--cursor", cursor)
    assert result.exit_code == 2
    assert "--cursor" in result.stderr


def test_a_page_beyond_the_end_is_empty(delivered: Station) -> None:
    """Neither an error nor another page."""
    result = delivered.call("deliveries", "list", "--cursor", "deliveries:999", "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_delivery_is_a_matrix_of_rules_and_projects(delivered: Station) -> None:
    """In the order of the rules; a waiting job says why."""
    (found,) = delivered.lines("deliveries", "show", "d-2")
    assert found["projects"] == ["p-1", "p-2"]
    assert [row["handler"] for row in found["rows"]] == ["github#sync", "github#label"]
    cell = found["rows"][1]["cells"]["p-2"]
    assert cell["state"] == "waiting"
    assert "behind" in cell["detail"]
    shown = delivered.call("deliveries", "show", "d-2").stdout
    assert "1: github#label" in shown
    assert delivered.call("deliveries", "show", "nope").exit_code == 3


def test_a_handler_of_two_rules_has_two_rows(station: Station) -> None:
    """As the rules stand, so the matrix."""
    station.enqueue("demo#work", "demo#work", projects=["p-1"])
    (found,) = station.lines("deliveries", "show", "delivery-1")
    assert [(row["ordinal"], row["handler"]) for row in found["rows"]] == [
        (0, "demo#work"),
        (1, "demo#work"),
    ]


def test_workers_are_listed(station: Station) -> None:
    """With version and plugins; none is no failure."""
    assert station.lines("workers", "list") == []
    station.beat("w1")
    (found,) = station.lines("workers", "list")
    assert (found["id"], found["is_alive"]) == ("w1", True)
    assert "w1" in station.call("workers", "list").stdout


def test_the_tail_shows_what_ended_last(delivered: Station) -> None:
    """The newest at the end, narrowed by a filter."""
    found = delivered.lines("jobs", "tail")
    assert {one["handler"] for one in found} == {"github#sync", "demo#work"}
    assert {one["state"] for one in found} == {"succeeded"}
    assert len(delivered.lines("jobs", "tail", "plugin:demo")) == 1
    assert delivered.call("jobs", "tail", "plug:demo").exit_code == 2
    assert delivered.call("jobs", "tail", "state:dead").stderr == "Nothing found.\n"


def test_ten_tails_at_once_hear_of_every_end(station: Station) -> None:
    """Each as it comes, on a connection of its own; a pipe closed early ends one in silence."""
    station.enqueue("demo#work", projects=["p-0"])
    station.succeed()
    command = [COMMAND, "jobs", "tail", "--follow", "--json"]
    with ExitStack() as stack:
        tails = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own command
                    command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            )
            for _ in range(10)
        ]
        outputs = [tail.stdout for tail in tails if tail.stdout is not None]
        assert [json.loads(one.readline())["project"] for one in outputs] == ["p-0"] * 10
        (job,) = station.enqueue("demo#work", delivery="d-2", projects=["p-2"])
        station.succeed()
        assert [json.loads(one.readline())["id"] for one in outputs] == [job] * 10
        outputs[0].close()
        station.enqueue("demo#work", delivery="d-3", projects=["p-3"])
        station.succeed()
        assert tails[0].wait(timeout=30) in {1, 141, 0}
        assert tails[0].stderr is not None
        assert tails[0].stderr.read() == ""
        for tail in tails[1:]:
            tail.kill()


def test_the_settings_are_shown_without_a_secret(
    station: Station, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """Keys, tokens and logins in addresses are masked; what was set is told from defaults."""
    for name in ("IMBI_WORKER_SIGNING_KEY", "NEO4J_PASSWORD", "ACTIONS_IMBI_TOKEN"):
        monkeypatch.setenv(name, f"{name}-{canary}")
    monkeypatch.setenv("ACTIONS_IMBI_URL", f"https://user:{canary}@imbi.example")
    monkeypatch.setenv("IMBI_WORKER_TIMEOUT", "7m")
    found = {one["variable"]: one for one in station.lines("config", "show")}
    assert found["IMBI_WORKER_TIMEOUT"]["value"] == "420s"
    assert found["IMBI_WORKER_TIMEOUT"]["origin"] == "set"
    assert found["IMBI_WORKER_LEASE"]["origin"] == "default"
    assert found["IMBI_WORKER_SIGNING_KEY"]["value"] == "***"
    assert found["IMBI_AUTH_ENCRYPTION_KEY"]["value"] == "***"
    assert canary not in json.dumps(found)
    assert canary not in station.call("config", "show").output


def test_where_the_servers_are_is_shown_and_how_to_get_in_is_not(
    station: Station, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """Host, port, user and database of Redis stand there; of its password nothing."""
    given = f"rediss://worker:{canary}@redis.example:6380/2?ssl_ca_certs=/ca.pem&password={canary}"
    monkeypatch.setenv("REDIS_URL", given)
    monkeypatch.setenv("NEO4J_URL", f"neo4j+s://me:{canary}@graph.example:7687")
    found = {one["variable"]: one["value"] for one in station.lines("config", "show")}
    assert found["REDIS_URL"] == (
        "rediss://worker:***@redis.example:6380/2?ssl_ca_certs=/ca.pem&password=***"
    )
    assert found["NEO4J_URL"].endswith("@graph.example:7687")
    assert canary not in json.dumps(found) + station.call("config", "show").output


def test_a_setting_that_names_a_file_is_shown_as_its_path(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the table and as JSON."""
    monkeypatch.setenv("IMBI_WORKER_HEARTBEAT_FILE", "/run/imbi/heartbeat")
    found = {one["variable"]: one for one in station.lines("config", "show")}
    assert found["IMBI_WORKER_HEARTBEAT_FILE"]["value"] == "/run/imbi/heartbeat"
    assert "/run/imbi/heartbeat" in station.call("config", "show").stdout


def test_wrong_settings_are_told_by_their_names(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 78, and the way to the schema."""
    monkeypatch.setenv("IMBI_WORKER_TIMEOUT", "soon")
    result = station.call("config", "show")
    assert result.exit_code == 78
    assert "IMBI_WORKER_TIMEOUT" in result.stderr


def test_the_schema_of_the_settings_is_one(station: Station) -> None:
    """Valid, by variables, with what each means."""
    (found,) = station.lines("config", "schema")
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["properties"]["IMBI_WORKER_LEASE"]["description"]
    assert "IMBI_AUTH_ENCRYPTION_KEY" in found["properties"]
