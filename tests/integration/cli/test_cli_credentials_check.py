"""`credentials check`: what a worker could use, by which key, and never a value."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from station import Station

from imbi_worker.graph import GraphAddress, Neo4jGraph
from imbi_worker.graph.seed import Seed, SeedApplication, SeedPlugin, SeedService, plant

OLD = Fernet.generate_key().decode()
STRANGER = Fernet.generate_key().decode()
PLUGINS = """
from imbi_sdk import CredentialField, PluginManifest, WebhookActionPlugin


class Tracker(WebhookActionPlugin):
    manifest = PluginManifest(
        slug="tracker",
        name="Tracker",
        plugin_type="webhook",
        credentials=[
            CredentialField(name="api_token", label="Token"),
            CredentialField(name="spare", label="Spare", required=False),
        ],
    )

    @classmethod
    def actions(cls):
        return []


class Login(Tracker):
    manifest = Tracker.manifest.model_copy(
        update={"slug": "login", "auth_type": "oauth2", "credentials": []}
    )
"""


def sealed(key: str, text: str) -> str:
    return Fernet(key).encrypt(text.encode()).decode()


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two plugins, installed: one with fields of its own, one that uses an application."""
    (tmp_path / "checked_plugins.py").write_text(PLUGINS)
    info = tmp_path / "checked_plugins-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: checked-plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[imbi.plugins]\ntracker = checked_plugins:Tracker\nlogin = checked_plugins:Login\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("checked_plugins", None)


@pytest.fixture
def vault(
    station: Station,
    graph_address: GraphAddress,
    encryption_key: str,
    canary: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Station:
    """A graph with a plugin in every condition, named after it."""
    monkeypatch.setenv("NEO4J_URL", graph_address.url)
    monkeypatch.setenv("NEO4J_USER", graph_address.user or "")
    monkeypatch.setenv("NEO4J_PASSWORD", graph_address.password.get_secret_value())
    monkeypatch.setenv("NEO4J_DATABASE", graph_address.database)
    monkeypatch.setenv("IMBI_WORKER_OLD_ENCRYPTION_KEYS", OLD)
    whole = json.dumps({"api_token": canary, "spare": ""})
    texts = {
        "good": sealed(encryption_key, whole),
        "old": sealed(OLD, whole),
        "shut": sealed(STRANGER, whole),
        "incomplete": sealed(encryption_key, json.dumps({"spare": canary})),
        "torn": sealed(encryption_key, canary),
        "empty": None,
    }
    application = SeedApplication("app", "client", sealed(OLD, canary))
    rows = (
        *(SeedPlugin(name, "tracker", text) for name, text in texts.items()),
        SeedPlugin("app", "login", application=application),
        SeedPlugin("unlinked", "login"),
        SeedPlugin("unknown", "ghost", texts["good"]),
    )

    async def sow() -> None:
        graph = Neo4jGraph.at(graph_address)
        try:
            await plant(graph, Seed("acme", services=(SeedService("service", None, rows),)))
        finally:
            await graph.close()

    asyncio.run(sow())
    return station


def check(station: Station, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    result = station.call("credentials", "check", *words, "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return result.exit_code, {one["plugin_id"]: one for one in found}


@pytest.mark.usefixtures("plugins")
def test_each_condition_is_told_with_its_key(vault: Station) -> None:
    """Current key, old key, no key; complete, incomplete, unreadable; plugin unknown here."""
    code, found = check(vault)
    told = {name: (one["status"], one["key"], one["missing"]) for name, one in found.items()}
    assert told == {
        "good": ("ok", "current", []),
        "old": ("warning", "old", []),
        "shut": ("failed", None, ["api_token"]),
        "incomplete": ("failed", "current", ["api_token"]),
        "torn": ("failed", "current", ["api_token"]),
        "empty": ("failed", None, ["api_token"]),
        "app": ("warning", "old", []),
        "unlinked": ("failed", None, ["client_id", "client_secret"]),
        "unknown": ("warning", "current", []),
    }
    assert code == 1
    assert all(one["hint"] for name, one in found.items() if name != "good")
    assert found["good"]["fields"] == ["api_token"]
    assert "JSON" in found["torn"]["detail"]


@pytest.mark.usefixtures("plugins")
def test_one_plugin_is_chosen_by_its_id_or_its_slug(vault: Station) -> None:
    """Warnings are no failure; an unknown name exits with 3."""
    assert (check(vault, "good")[0], list(check(vault, "old")[1])) == (0, ["old"])
    code, found = check(vault, "login")
    assert (code, set(found)) == (1, {"app", "unlinked"})
    assert vault.call("credentials", "check", "nobody").exit_code == 3


@pytest.mark.usefixtures("plugins")
def test_no_value_is_ever_shown(vault: Station, canary: str) -> None:
    """Not in the table, not in JSON, not on stderr."""
    for form in ([], ["--json"]):
        shown = vault.call("credentials", "check", *form)
        assert canary not in shown.output + shown.stderr
    assert "old: Run `imbi-worker credentials rotate`" in vault.call("credentials", "check").stdout


@pytest.mark.usefixtures("plugins")
def test_an_action_is_given_no_credential_of_another_plugin(vault: Station, tmp_path: Path) -> None:
    """`actions run` refuses a plugin id of another plugin, and names one that is not there."""
    event = tmp_path / "event.json"
    event.write_text(
        json.dumps(
            {
                "type": "push",
                "third_party_service": "github",
                "attributed_to": "",
                "metadata": {"webhook_id": "wh-1", "headers": {}},
                "payload": {},
            }
        )
    )
    words = ("actions", "run", "gateway-actions#update_project", "--event", str(event))
    config = tmp_path / "config.json"
    config.write_text('[{"path": "/description", "from": "/payload/b"}]')
    words = (*words, "--config", str(config), "--dry-run", "--plugin-id")
    refused = vault.call(*words, "good")
    assert refused.exit_code == 4
    assert "belongs to 'tracker', not to 'gateway-actions'" in refused.stderr
    assert vault.call(*words, "nobody").exit_code == 3
