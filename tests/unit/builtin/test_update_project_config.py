"""What a rule for ``gateway-actions#update_project`` may say, and what it finds in an event."""

import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import PermanentError, Skip
from imbi_sdk.testing.deliveries import sample
from imbi_worker.builtin import BUILTINS, GatewayActions
from imbi_worker.builtin.update_project import HANDLER, UpdateProjectConfig, update_project

CONTEXT = PluginContext(project_id="p-1", project_slug="harbor", org_slug="tidewater")


async def run(config: str, event: dict[str, Any]) -> None:
    await update_project(
        ctx=CONTEXT,
        credentials={},
        external_identifier="710045",
        action_config=UpdateProjectConfig.model_validate_json(config),
        event=event,
    )


def test_the_plugin_is_a_builtin_that_asks_for_no_credentials() -> None:
    """The worker's own access is used, so that an operator has nothing to attach."""
    assert (GatewayActions,) == BUILTINS
    assert GatewayActions.manifest.slug == "gateway-actions"
    assert GatewayActions.manifest.plugin_type == "webhook"
    assert GatewayActions.manifest.credentials == []


def test_every_call_gives_a_fresh_catalogue() -> None:
    """A caller may change its list without harm to others."""
    GatewayActions.actions().clear()
    descriptor, *_ = GatewayActions.actions()
    assert descriptor.name == "update_project"
    assert descriptor.callable is update_project
    assert descriptor.config_model is UpdateProjectConfig
    assert f"{GatewayActions.manifest.slug}#{descriptor.name}" == HANDLER


def test_a_config_is_a_list_of_paths_and_sources() -> None:
    """The documented shape, ``from`` being the word in JSON."""
    config = UpdateProjectConfig.model_validate_json('[{"path": "/a", "from": "/payload/b"}]')
    (update,) = config.root
    assert (update.path.path, update.source.path) == ("/a", "/payload/b")
    assert config.model_dump(by_alias=True) == [{"path": "/a", "from": "/payload/b"}]


@pytest.mark.parametrize(
    "config",
    [
        "{}",
        '[{"path": "/a"}]',
        '[{"from": "/a"}]',
        '[{"path": "a", "from": "/b"}]',
        '[{"path": "/a", "from": "/b~2"}]',
        '[{"path": 1, "from": "/b"}]',
    ],
)
def test_another_shape_is_no_config(config: str) -> None:
    """A rule that cannot work is found out before anything runs."""
    with pytest.raises(ValidationError):
        UpdateProjectConfig.model_validate_json(config)


async def test_an_empty_config_is_skipped() -> None:
    """Nothing to copy is no failure, and no request is made for it."""
    with pytest.raises(Skip, match="names no field"):
        await run("[]", {})


@pytest.mark.parametrize(
    "pointer",
    [
        "/payload/nowhere",
        "/payload/repository/id/deeper",
        "/payload/commits/9",
        "/payload/commits/-",
        "/payload/commits/first",
        "/payload/ref/0",
        "/metadata/headers/x-github-delivery/x",
    ],
)
async def test_a_pointer_to_nothing_is_permanent(pointer: str) -> None:
    """The event will not change: the job is buried with the pointer that failed."""
    config = f'[{{"path": "/a", "from": "{pointer}"}}]'
    with pytest.raises(PermanentError) as raised:
        await run(config, sample("github-push").event())
    assert str(raised.value) == f"the event has nothing at {pointer!r} (the rule's 'from')"


async def test_a_failed_pointer_quotes_nothing_of_the_event(canary: str) -> None:
    """An event may hold secrets; the library's own message would show the whole object."""
    event = {"payload": {"password": canary}}
    with pytest.raises(PermanentError) as raised:
        await run('[{"path": "/a", "from": "/payload/nowhere"}]', event)
    assert raised.value.__context__ is None
    assert canary not in "".join(traceback.format_exception(raised.value))
