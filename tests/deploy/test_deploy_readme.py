"""deploy/README.md leads a new operator all the way: what it shows is what the chart takes."""

import re
from typing import Any

import pytest
import typer.main
import yaml
from charts import ROOT, deployment, environment, merged, of_kind, render, settings_names

from imbi_worker.cli.program import app

README = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")


def _shown(name: str) -> dict[str, Any]:
    """The example whose first line is a comment with its file's name."""
    found = re.search(rf"```yaml\n# {re.escape(name)}\n(.*?)```", README, re.DOTALL)
    assert found is not None, name
    return dict(yaml.safe_load(found[1]))


def test_every_link_leads_somewhere() -> None:
    for path in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", README):
        assert (ROOT / "deploy" / path).exists(), path


def test_the_values_it_shows_are_enough() -> None:
    documents = render(_shown("values.yaml"), release="imbi-worker")
    worker = deployment(documents, "worker")
    assert worker["metadata"]["name"] == "imbi-worker"
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("registry.example.com/platform/imbi-worker:")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("queues.yaml", ["Deployment"] * 4),
        ("watching.yaml", ["PodMonitor", "PrometheusRule"]),
        ("plugins.yaml", ["Deployment"] * 2),
    ],
)
def test_what_it_shows_besides_goes_with_them(name: str, kinds: list[str]) -> None:
    documents = render(merged(_shown("values.yaml"), _shown(name)))
    assert [one["kind"] for one in of_kind(documents, *set(kinds))] == kinds


def test_the_secret_has_the_keys_that_pods_ask_for() -> None:
    """Needed and optional ones as the table says, and each one that is no other name of one."""
    table = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| ([^|]+?) \|", README, re.MULTILINE))
    documents = render(_shown("values.yaml"))
    asked: dict[str, bool] = {}
    for one in of_kind(documents, "Deployment"):
        for entry in one["spec"]["template"]["spec"]["containers"][0]["env"]:
            reference = entry["valueFrom"]["secretKeyRef"]
            asked[reference["key"]] = reference.get("optional", False)
    assert table.keys() == asked.keys() | {"SCALING_TOKEN"}
    assert {key for key, needed in table.items() if needed == "no"} == {
        key for key, is_optional in asked.items() if is_optional
    }
    secrets = {name for name, is_secret in settings_names().items() if is_secret}
    assert secrets - {"VALKEY_URL"} <= table.keys()


def test_the_ports_it_names_are_the_charts() -> None:
    documents = render(_shown("values.yaml"))
    told = environment(documents, deployment(documents, "dashboard")["spec"]["template"]["spec"])
    assert f"svc/imbi-worker-dashboard {told['IMBI_WORKER_DASHBOARD_PORT']}" in README
    assert f"deploy/imbi-worker {told['IMBI_WORKER_METRICS_PORT']}" in README


def test_the_commands_it_names_exist() -> None:
    """Those of imbi-worker, down to the last group; what follows a command are its arguments."""
    named = re.findall(r"(?:-- |`)imbi-worker ([a-z]+(?: [a-z]+)*)", README)
    assert {"doctor", "graph schema", "credentials rotate", "jobs why"} <= set(named)
    assert any(words.startswith("tokens new") for words in named)
    for words in named:
        command: Any = typer.main.get_command(app)
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, words
            command = command.commands[word]
