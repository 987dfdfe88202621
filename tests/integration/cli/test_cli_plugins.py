"""`plugins doctor` and `plugins schema` on packages that are put on the path."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

import installing
from imbi_worker.cli.program import app

COMMAND = str(Path(sys.executable).parent / "imbi-worker")
CANARY = "canary-4f1d-do-not-leak"
Install = Callable[..., None]

HEAD = """
from typing import Any, Callable

from imbi_sdk import (
    ActionDescriptor,
    IdentityPlugin,
    LogsPlugin,
    PluginManifest,
    PluginVertexLabel,
    WebhookActionPlugin,
)
from pydantic import BaseModel, Field


class Close(BaseModel):
    reason: str = Field(description="why, e.g. «done»\\u200d")


class Strange(BaseModel):
    call: Callable[[], None]


async def act(*, ctx, credentials, external_identifier, action_config, event):
    pass


def not_async(*, ctx, credentials, external_identifier, action_config, event):
    pass


async def unfit(ctx, job):
    pass


def descriptor(name, function=act, model=Close):
    return ActionDescriptor(name=name, label=name, callable=function, config_model=model)


def plugin(slug, *actions, base=WebhookActionPlugin, plugin_type="webhook", **fields):
    manifest = PluginManifest(slug=slug, name=slug, plugin_type=plugin_type, **fields)
    listed = classmethod(lambda cls: list(actions))
    return type("Made", (base,), {"manifest": manifest, "actions": listed})
"""


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["plugins", *arguments])


def found() -> dict[str, dict[str, Any]]:
    """The doctor's findings by subject; each subject has one in these tests."""
    lines = [json.loads(line) for line in call("doctor", "--json").stdout.splitlines()]
    by_subject = {line["subject"]: line for line in lines}
    assert len(by_subject) == len(lines)
    return by_subject


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a distribution: a module of the head and *source*, and its entry points.

    Entry points are given as name -> object of the module, or module:object of another one.
    """
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(package: str, source: str, **points: str) -> None:
        module = f"{package.replace('-', '_')}_4f1d"
        targets = {
            name: value if ":" in value else f"{module}:{value}" for name, value in points.items()
        }
        text = {module: f"{HEAD}\n{source}\n"}
        installing.install(tmp_path, package, targets, modules=text, version="1.5")
        # Another test's module of this name is another module.
        monkeypatch.delitem(sys.modules, module, raising=False)

    return make


def test_all_is_well_without_a_word_of_advice(install: Install) -> None:
    """Exit code 0; each plugin is named with the number of its actions."""
    install("good", "Good = plugin('good', descriptor('a'), descriptor('b'))", good="Good")
    result = call("doctor")
    assert result.exit_code == 0, result.output
    assert found()["good"] == {
        "subject": "good",
        "status": "ok",
        "finding": "loaded, 2 actions",
        "effect": "",
        "fix": "",
    }


@pytest.mark.parametrize(
    ("source", "reason", "fix"),
    [
        ("import no_such_module_4f1d", "No module named", "Install the package"),
        ("import imbi_common.clickhouse", "part of imbi-common", "what the message names"),
        ("from pydantic import NoSuchName", "cannot import name", "release"),
        ("P = 1", "Missing or invalid manifest", "PluginManifest(...)"),
        ("P = type('P', (), {'manifest': plugin('x').manifest})", "must subclass", "Derive"),
        ("P = plugin('x', base=LogsPlugin)", "does not implement", "agree"),
        ("P = plugin('x', 1)", "must return list", "nothing but ActionDescriptor"),
        ("P = plugin('x', descriptor('a'), descriptor('a'))", "Duplicate action", "name of its"),
        (
            "P = plugin('x'); P.actions = lambda: 1 / 0",
            "actions() raised",
            "Python shell",
        ),
        ("raise SystemExit(3)", "sys.exit(3)", "__main__"),
        ("Q = 1", "has no attribute", "module:Class"),
        ("1 / 0", "division by zero", "python -c 'import broken_4f1d'"),
    ],
)
def test_a_plugin_that_did_not_load_is_explained(
    install: Install, source: str, reason: str, fix: str
) -> None:
    """Why, what its jobs come to, and what mends it; exit code 1."""
    install("broken", source, broken="P")
    assert call("doctor").exit_code == 1
    line = found()["broken"]
    assert line["status"] == "failed"
    assert line["finding"].startswith("not loaded: ")
    assert reason in line["finding"]
    assert "handler not resolvable" in line["effect"]
    assert fix in line["fix"]


@pytest.mark.parametrize("problem", ["not_async", "unfit"])
def test_an_action_that_cannot_be_called_is_wrong(install: Install, problem: str) -> None:
    """Its plugin is loaded and its other actions run; what its jobs come to is said."""
    source = f"P = plugin('half', descriptor('good'), descriptor('bad', {problem}))"
    install("half", source, half="P")
    assert call("doctor").exit_code == 1
    lines = found()
    assert lines["half#bad"]["status"] == "failed"
    assert "dead at their first attempt" in lines["half#bad"]["effect"]
    assert "half#good" not in lines


def test_a_config_without_a_schema_is_a_warning(install: Install) -> None:
    """Its jobs run, so it is nothing wrong; `plugins schema` refuses."""
    install("strange", "P = plugin('strange', descriptor('a', model=Strange))", strange="P")
    assert call("doctor").exit_code == 0
    assert found()["strange#a"]["status"] == "warning"
    result = call("schema", "strange#a")
    assert result.exit_code == 4
    assert "no JSON Schema" in result.stderr


@pytest.mark.parametrize("slug", ["Upper", "under_score", "1st", "with#hash", ""])
def test_a_slug_that_no_handler_can_name_is_wrong(install: Install, slug: str) -> None:
    """The registry takes it, as Imbi's does, and no rule can ever reach it."""
    install("odd", f"P = plugin({slug!r}, descriptor('a'))", odd="P")
    assert call("doctor").exit_code == 1
    line = found()[slug]
    assert line["status"] == "failed"
    assert "lower case letters" in line["fix"]


def test_a_plugin_that_no_rule_can_use_is_a_warning(install: Install) -> None:
    """Of another type, or without any action: it may be meant, so nothing is wrong."""
    source = """
Logs = type("Logs", (LogsPlugin,), {
    "manifest": PluginManifest(slug="logs", name="Logs", plugin_type="logs")})
Inert = plugin("inert")
"""
    install("others", source, logs="Logs", inert="Inert")
    assert call("doctor").exit_code == 0
    lines = found()
    for slug in ("logs", "inert"):
        assert lines[slug]["status"] == "warning"
        assert "No webhook rule" in lines[slug]["effect"]


def test_a_plugin_of_another_api_is_left_out_with_its_version(install: Install) -> None:
    """Which one it is made for, by package; not an error, as in Imbi."""
    install("newer", "P = plugin('newer', descriptor('a'), api_version=2)", newer="P")
    assert call("doctor").exit_code == 0
    line = found()["newer"]
    assert line["status"] == "warning"
    assert "newer 1.5 is made for plugin API 2" in line["finding"]
    assert "handler not resolvable" in line["effect"]


def test_a_built_in_plugin_that_gives_way_is_fine(install: Install) -> None:
    """The installed one of its slug is named."""
    source = "P = plugin('gateway-actions', descriptor('update_project'))"
    install("own-actions", source, own="P")
    assert call("doctor").exit_code == 0
    lines = [json.loads(line) for line in call("doctor", "--json").stdout.splitlines()]
    (given,) = [line for line in lines if line["finding"].startswith("built in")]
    assert (given["subject"], given["status"]) == ("gateway-actions", "ok")
    assert given["finding"].endswith("gives way to own-actions 1.5")


def test_a_slug_that_is_taken_names_both_packages(install: Install) -> None:
    """Rules get the other one: nothing of theirs is left unresolved."""
    install("first", "P = plugin('same', descriptor('a'))", one="P", two="P")
    assert call("doctor").exit_code == 1
    line = found()["two"]
    assert line["finding"].endswith("Duplicate plugin slug: same")
    assert "first 1.5" in line["effect"]
    assert "first 1.5" in line["fix"]


def test_a_label_that_two_claim_is_a_finding(install: Install) -> None:
    """No plugin at all is loaded then; the other commands say where to look."""
    label = "PluginVertexLabel(name='Plugin', model_ref='a:B')"
    install("claimer", f"P = plugin('claimer', vertex_labels=[{label}])", claimer="P")
    result = call("doctor")
    assert result.exit_code == 1
    assert found()["labels"]["status"] == "failed"
    for arguments in (("list",), ("show", "claimer"), ("schema", "claimer#a")):
        other = call(*arguments)
        assert other.exit_code == 78
        assert "doctor" in other.stderr


def test_a_secret_in_an_import_error_is_masked(install: Install) -> None:
    """What a plugin raises while it is imported is anybody's text."""
    source = f"raise RuntimeError('GET https://user:{CANARY}@example.org failed')"
    install("talkative", source, talkative="P")
    for options in ((), ("--json",)):
        result = call("doctor", *options)
        assert "failed" in result.stdout
        assert CANARY not in result.output


def test_a_schema_is_a_json_schema(install: Install) -> None:
    """Of draft 2020-12, whole and exact, in both forms."""
    install("good", "P = plugin('good', descriptor('close'))", good="P")
    for handler in ("good#close", "gateway-actions#update_project"):
        result = call("schema", handler)
        assert result.exit_code == 0, result.output
        schema = json.loads(result.stdout)
        assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
        Draft202012Validator.check_schema(schema)
        line = call("schema", handler, "--json").stdout
        assert len(line.splitlines()) == 1
        assert json.loads(line) == schema
    schema = json.loads(call("schema", "good#close").stdout)
    assert schema["required"] == ["reason"]
    assert schema["properties"]["reason"]["description"] == "why, e.g. «done»\u200d"


@pytest.mark.parametrize(
    ("handler", "near"),
    [
        ("good#clsoe", "good#close"),
        ("godo#close", "good#close"),
        ("good#something_else", "good#close"),
        ("good", "good#close"),
        ("gateway-actions#updateproject", "gateway-actions#update_project"),
        ("zzzzzz#qqqqq", "plugins list"),
        ("", "plugins list"),
    ],
)
def test_an_unknown_handler_gets_near_ones(install: Install, handler: str, near: str) -> None:
    """Exit code 3, and nothing on stdout."""
    install("good", "P = plugin('good', descriptor('close'))", good="P")
    result = call("schema", handler)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert near in result.stderr.splitlines()[-1]


def test_a_schema_of_a_plugin_that_did_not_load_says_why(install: Install) -> None:
    """The reason is nearer than a suggestion."""
    install("broken", "import no_such_module_4f1d", broken="P")
    result = call("schema", "broken#close")
    assert result.exit_code == 3
    assert "no_such_module_4f1d" in result.stderr


def test_the_doctor_is_a_process_that_survives_what_it_finds(
    install: Install, tmp_path: Path
) -> None:
    """A plugin that ends the process at its import is a finding like any other."""
    install("quitter", "raise SystemExit(0)", quitter="P")
    install("good", "P = plugin('good', descriptor('close'))", good="P")
    result = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, "plugins", "doctor", "--json"],
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1, result.stderr
    assert result.stderr == ""
    lines = {one["subject"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert lines["quitter"]["status"] == "failed"
    assert lines["good"]["status"] == "ok"
