"""The ports that the SDK's registry and encryption fill."""

from typing import Any

import pytest
from pydantic import BaseModel

from imbi_sdk import registry
from imbi_sdk.actions import UnfitCallable
from imbi_sdk.errors import ActionNotFoundError, PluginNotFoundError
from imbi_sdk.manifest import PluginManifest
from imbi_sdk.registry import RegistryEntry
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker.dispatch import InstalledPlugins


class Config(BaseModel):
    pass


async def new(
    *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, event: Any
) -> None:
    pass


async def old(
    *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, payload: Any
) -> None:
    pass


def blocking(**_: Any) -> None:
    pass


class Tickets(WebhookActionPlugin):
    manifest = PluginManifest(slug="tickets", name="Tickets", plugin_type="webhook")

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        functions = {"new": new, "old": old, "blocking": blocking}
        return [
            ActionDescriptor(name=name, label=name, callable=function, config_model=Config)
            for name, function in functions.items()
        ]


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = RegistryEntry(Tickets, Tickets.manifest, "tickets", "1.0")
    monkeypatch.setitem(registry._registry, "tickets", entry)


def test_a_handler_resolves_to_entry_descriptor_and_kind() -> None:
    """Both kinds of callables, each as it wants to be called."""
    plugins = InstalledPlugins()
    assert plugins.find("tickets#new").kind == "event"
    assert plugins.find("tickets#old").kind == "payload"
    assert plugins.find("tickets#new").entry.manifest.slug == "tickets"
    assert plugins.find("tickets#new").descriptor.callable is new
    assert isinstance(plugins.find("tickets#blocking").kind, UnfitCallable)


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        ("gone#act", PluginNotFoundError),
        ("tickets#gone", ActionNotFoundError),
        ("no handler", ValueError),
        ("tickets#new\n", ValueError),
    ],
)
def test_what_cannot_be_resolved_raises(handler: str, error: type[Exception]) -> None:
    """Dispatch turns each into the same outcome."""
    with pytest.raises(error):
        InstalledPlugins().find(handler)


def test_a_reloaded_plugin_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known of a handler ends with the entry it belonged to."""
    plugins = InstalledPlugins()
    plugins.find("tickets#new")

    class Changed(Tickets):
        @classmethod
        def actions(cls) -> list[ActionDescriptor]:
            return [ActionDescriptor(name="new", label="n", callable=old, config_model=Config)]

    entry = RegistryEntry(Changed, Changed.manifest, "tickets", "2.0")
    monkeypatch.setitem(registry._registry, "tickets", entry)
    assert plugins.find("tickets#new").kind == "payload"
    assert plugins.find("tickets#new").entry is entry
