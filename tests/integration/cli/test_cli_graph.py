"""`credentials` and `graph` against a real Bolt server."""

import json
from pathlib import Path
from typing import Any

import pytest
from bolt import Bolt
from station import Station

from imbi_sdk.credentials import credentials_from_record
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.registry import get_plugin, load_plugins
from imbi_worker.graph import SCHEMA, GraphAddress
from imbi_worker.graph.seed import Seed, SeedPlugin, SeedService, plant
from installing import install

SEED = Seed(
    "acme",
    services=(
        SeedService(
            "demo-service",
            "https://demo.example.org",
            (SeedPlugin("plug-1", "demo"), SeedPlugin("plug-2", "absent")),
        ),
    ),
)


class Plugged(Bolt):
    """With a plugin whose credentials can be read."""

    def value(self, field: str) -> str | None:
        record = self.do(lambda graph: graph.plugin("plug-1"))
        TokenEncryption.reset_instance()
        load_plugins()
        return credentials_from_record(record, get_plugin("demo")).get(field)


@pytest.fixture
def bolt(
    station: Station,
    graph_address: GraphAddress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Plugged:
    """A graph with two plugins, the settings that lead there, and the demo plugin installed."""
    install(tmp_path, "imbi-demo-plugin", {"demo": "imbi_worker.demo.plugin:DemoPlugin"})
    monkeypatch.syspath_prepend(str(tmp_path))
    bolt = Plugged(graph_address)
    bolt.is_configured(monkeypatch)
    bolt.do(lambda graph: plant(graph, SEED))
    return bolt


def field_of(station: Station, plugin_id: str = "plug-1") -> dict[str, Any]:
    (line,) = station.lines("credentials", "list", plugin_id)
    return line


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_credential_is_set_from_a_file(
    station: Station, bolt: Plugged, canary: str, tmp_path: Path, ending: str
) -> None:
    """Without the line break that editors add; nothing of it is printed."""
    assert field_of(station)["is_set"] is False
    path = tmp_path / "token"
    path.write_bytes(f"{canary}{ending}".encode())
    result = station.call("credentials", "set", "plug-1", "api_token", "--from-file", str(path))
    assert result.exit_code == 0, result.output
    assert canary not in result.output
    assert bolt.value("api_token") == canary
    assert field_of(station)["is_set"] is True


def test_a_credential_is_set_from_stdin(station: Station, bolt: Plugged, canary: str) -> None:
    """A pipe, with or without `--from-file -`."""
    for options in ([], ["--from-file", "-"]):
        arguments = ("credentials", "set", "plug-1", "api_token", *options)
        result = station.call(*arguments, "--json", text=f"{canary}\n")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["fields"] == ["api_token"]
        assert canary not in result.output
        assert bolt.value("api_token") == canary


def test_a_credential_is_removed_with_unset(station: Station, bolt: Plugged, canary: str) -> None:
    """And only so: an empty value is refused, since it is most likely a mistake."""
    station.call("credentials", "set", "plug-1", "api_token", text=canary)
    refused = station.call("credentials", "set", "plug-1", "api_token", text="\n")
    assert refused.exit_code == 4
    assert "--unset" in refused.stderr
    assert bolt.value("api_token") == canary
    assert station.call("credentials", "set", "plug-1", "api_token", "--unset").exit_code == 0
    assert field_of(station)["is_set"] is False


def test_credentials_are_listed_by_name_only(station: Station, bolt: Plugged, canary: str) -> None:
    """In the table and in JSON, set or not."""
    station.call("credentials", "set", "plug-1", "api_token", text=canary)
    for options in ([], ["--json"], ["plug-1"]):
        result = station.call("credentials", "list", *options)
        assert result.exit_code == 0
        assert "api_token" in result.stdout
        assert canary not in result.output


def test_a_field_the_plugin_does_not_declare_is_refused(station: Station, bolt: Plugged) -> None:
    """With the names it does declare; a typing error must not look like success."""
    result = station.call("credentials", "set", "plug-1", "api_tokem", text="x" * 20)
    assert result.exit_code == 4
    assert "api_token" in result.stderr


def test_a_plugin_that_is_not_installed_here_is_refused(station: Station, bolt: Plugged) -> None:
    """Its fields are unknown here."""
    result = station.call("credentials", "set", "plug-2", "api_token", text="x" * 20)
    assert result.exit_code == 4
    assert "not installed here" in result.stderr


@pytest.mark.parametrize("arguments", [("set", "nope", "api_token"), ("list", "nope")])
def test_an_unknown_plugin_id_is_not_found(
    station: Station, bolt: Plugged, arguments: tuple[str, ...]
) -> None:
    """Exit code 3."""
    result = station.call("credentials", *arguments, text="x" * 20)
    assert result.exit_code == 3
    assert "credentials list" in result.stderr


def test_credentials_under_another_key_are_not_overwritten(
    station: Station, bolt: Plugged, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read may belong to somebody: refused, and the list says so."""
    station.call("credentials", "set", "plug-1", "api_token", text=canary)
    before = bolt.do(lambda graph: graph.plugin("plug-1"))
    other = "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMDA="
    monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", other)
    TokenEncryption.reset_instance()
    result = station.call("credentials", "set", "plug-1", "api_token", text="another value")
    assert result.exit_code == 4
    assert "IMBI_AUTH_ENCRYPTION_KEY" in result.stderr
    assert field_of(station)["note"].startswith("nothing readable")
    assert bolt.do(lambda graph: graph.plugin("plug-1")) == before


def test_without_an_encryption_key_nothing_is_touched(
    station: Station, bolt: Plugged, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 78; a wrong key is not repeated in the message."""
    for key in ("", canary):
        monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", key)
        TokenEncryption.reset_instance()
        for arguments in (("set", "plug-1", "api_token"), ("list",)):
            result = station.call("credentials", *arguments, text="x" * 20)
            assert result.exit_code == 78
            assert "ncryption key" in result.stderr
            assert canary not in result.output


def test_an_unreachable_graph_is_an_unavailable_dependency(
    station: Station, bolt: Plugged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 69, naming the setting."""
    monkeypatch.setenv("NEO4J_URL", "bolt://127.0.0.1:1")
    result = station.call("credentials", "list")
    assert result.exit_code == 69
    assert "NEO4J_URL" in result.stderr


def test_a_refused_login_is_a_configuration_error(
    station: Station, bolt: Plugged, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 78; the password is not repeated."""
    monkeypatch.setenv("NEO4J_PASSWORD", canary)
    result = station.call("credentials", "list")
    assert result.exit_code == 78, result.output
    assert "NEO4J_PASSWORD" in result.stderr
    assert canary not in result.output


def test_the_schema_is_created_once(station: Station, bolt: Plugged) -> None:
    """Safe to repeat: the second time everything was there."""
    first, second = (station.lines("graph", "schema") for _ in range(2))
    assert [line["element"] for line in first] == [str(element) for element in SCHEMA]
    assert [line["created"] for line in second] == [False] * len(SCHEMA)
