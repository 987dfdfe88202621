"""The catalogue of ``gateway-actions``, and what the configs of its rules may say."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from imbi_sdk.attempt import ConfigValidator
from imbi_sdk.attempt.repetition import is_idempotent
from imbi_sdk.webhook import ActionDescriptor
from imbi_worker.builtin import GatewayActions

RELEASE = {"title_selector": "/payload/t", "committish_expression": "payload.sha"}
EVENT = {
    "environment_selector": "/payload/e",
    "committish_expression": "payload.sha",
    "status_selector": "/payload/s",
}


def descriptor(name: str) -> ActionDescriptor:
    (found,) = (one for one in GatewayActions.actions() if one.name == name)
    return found


def test_the_actions_are_those_of_imbi() -> None:
    """As of 2.11.5, and publishing as of the later versions."""
    names = [one.name for one in GatewayActions.actions()]
    assert names == [
        "update_project",
        "create_release",
        "add_deployment_event",
        "ingest_sbom",
        "publish_release",
    ]
    assert {one.callable.__name__ for one in GatewayActions.actions()} == set(names)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("create_release", RELEASE),
        ("create_release", {**RELEASE, "version_expression": None}),
        ("create_release", {**RELEASE, "version_expression": "payload.ref", "other": 1}),
        ("add_deployment_event", EVENT),
        (
            "add_deployment_event",
            {**EVENT, "version_expression": "v", "note_selector": "/n"}
            | {"external_run_id_selector": "/payload/id"},
        ),
        ("ingest_sbom", {"version_expression": "payload.v"}),
        (
            "ingest_sbom",
            {"version_expression": "payload.v", "sbom_selector": "/payload/sbom"}
            | {"committish_expression": "payload.sha", "title_selector": "/payload/t"},
        ),
        ("publish_release", {"version_expression": "payload.v", "status_selector": "/payload/s"}),
        (
            "publish_release",
            {"version_expression": "payload.v", "status_selector": "/s", "prerelease": True},
        ),
    ],
)
def test_a_config_of_todays_rules_is_valid(name: str, config: dict[str, Any]) -> None:
    """Rules move to the worker as they are; what a model does not know is left alone."""
    model = descriptor(name).config_model.model_validate_json(json.dumps(config))
    shown = model.model_dump(mode="json")
    assert {key: shown[key] for key in config if key != "other"} == {
        key: value for key, value in config.items() if key != "other"
    }


@pytest.mark.parametrize(
    ("name", "config", "field"),
    [
        ("create_release", {"committish_expression": "x"}, "title_selector"),
        ("create_release", {"title_selector": "/t"}, "committish_expression"),
        ("create_release", {**RELEASE, "title_selector": "t"}, "title_selector"),
        ("add_deployment_event", {**EVENT, "status_selector": 1}, "status_selector"),
        ("add_deployment_event", {**EVENT, "note_selector": "n"}, "note_selector"),
        ("ingest_sbom", {}, "version_expression"),
        ("publish_release", {"version_expression": "v"}, "status_selector"),
    ],
)
def test_a_config_that_lacks_something_is_refused(
    name: str, config: dict[str, Any], field: str
) -> None:
    """Before anything is called; the operator reads which field."""
    with pytest.raises(ValidationError) as raised:
        descriptor(name).config_model.model_validate(config)
    assert [error["loc"] for error in raised.value.errors()] == [(field,)]


def test_an_sbom_is_the_whole_payload_unless_the_rule_says_otherwise() -> None:
    """A build may post it without an envelope."""
    config = descriptor("ingest_sbom").config_model.model_validate({"version_expression": "v"})
    assert config.model_dump(mode="json")["sbom_selector"] == "/payload"


@pytest.mark.parametrize(
    ("selector", "may_repeat"), [({}, False), ({"external_run_id_selector": "/payload/id"}, True)]
)
def test_a_deployment_event_is_repeated_only_if_it_replaces(
    selector: dict[str, str], *, may_repeat: bool
) -> None:
    """Without the run's id Imbi appends: a second run of unknown outcome could write it twice."""
    text = json.dumps(EVENT | selector)
    action = descriptor("add_deployment_event")
    assert is_idempotent("h", action, text, ConfigValidator()) is may_repeat


@pytest.mark.parametrize(
    "name", ["update_project", "create_release", "ingest_sbom", "publish_release"]
)
def test_the_others_may_always_be_repeated(name: str) -> None:
    """Imbi answers 409, or replaces."""
    assert descriptor(name).idempotent
