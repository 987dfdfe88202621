"""What the tests of the plugin system share: a graph in memory, keys, plugins."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from types import ModuleType
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel

from imbi_sdk import registry as plugin_registry
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import PluginRecordMissing
from imbi_sdk.graph import PluginRecord, ServiceApplicationRecord
from imbi_sdk.manifest import CredentialField, PluginManifest
from imbi_sdk.registry import RegistryEntry
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin

CANARY = "canary-4f1d-do-not-leak"


@dataclass
class MemoryGraph:
    """A graph in memory; *rivals* write before one of our writes each."""

    plugins: dict[str, PluginRecord] = field(default_factory=dict)
    applications: dict[str, ServiceApplicationRecord] = field(default_factory=dict)
    rivals: list[str | None] = field(default_factory=list)
    writes: int = 0

    async def plugin(self, plugin_id: str) -> PluginRecord | None:
        return self.plugins.get(plugin_id)

    async def service_application(self, plugin_id: str) -> ServiceApplicationRecord | None:
        return self.applications.get(plugin_id)

    async def replace_configuration(
        self, plugin_id: str, *, expected: str | None, new: str | None
    ) -> bool:
        if plugin_id not in self.plugins:
            raise PluginRecordMissing(plugin_id)
        if self.rivals:
            self._put(plugin_id, self.rivals.pop(0))
        if self.plugins[plugin_id].configuration != expected:
            return False
        self._put(plugin_id, new)
        self.writes += 1
        return True

    def _put(self, plugin_id: str, configuration: str | None) -> None:
        self.plugins[plugin_id] = replace(self.plugins[plugin_id], configuration=configuration)


@pytest.fixture
def canary() -> str:
    return CANARY


@pytest.fixture
def graph() -> MemoryGraph:
    return MemoryGraph()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A key in the environment, and an encryption that begins anew."""
    generated = Fernet.generate_key().decode()
    monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", generated)
    monkeypatch.delenv("IMBI_AUTH_ENCRYPTION_KEY_FILE", raising=False)
    monkeypatch.delenv("IMBI_WORKER_OLD_ENCRYPTION_KEYS", raising=False)
    TokenEncryption.reset_instance()
    yield generated
    TokenEncryption.reset_instance()


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment without any key."""
    for name in ("IMBI_AUTH_ENCRYPTION_KEY", "IMBI_AUTH_ENCRYPTION_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    TokenEncryption.reset_instance()
    yield
    TokenEncryption.reset_instance()


class NoConfig(BaseModel):
    """A config without fields."""


async def do_nothing(*, ctx, credentials, external_identifier, action_config, event) -> None:
    """Do nothing."""


@pytest.fixture
def make_plugin() -> Callable[..., type[WebhookActionPlugin]]:
    """Makes a webhook plugin class; keywords go into its manifest."""

    def make(
        slug: str = "tickets",
        *,
        actions: Callable[[], Any] | None = None,
        credentials: list[CredentialField] | None = None,
        **manifest: Any,
    ) -> type[WebhookActionPlugin]:
        def listed(cls: type) -> Any:
            if actions is not None:
                return actions()
            return [
                ActionDescriptor(
                    name="close", label="Close", callable=do_nothing, config_model=NoConfig
                )
            ]

        declared = PluginManifest(
            slug=slug,
            name=slug.capitalize(),
            credentials=credentials or [],
            **{"plugin_type": "webhook"} | manifest,
        )
        return type(
            "Tickets",
            (WebhookActionPlugin,),
            {"manifest": declared, "actions": classmethod(listed)},
        )

    return make


@pytest.fixture
def make_entry(make_plugin: Callable[..., type]) -> Callable[..., RegistryEntry]:
    """Makes a registry entry whose credentials are given as name -> required."""

    def make(*, auth_type: str = "api_token", **credentials: bool) -> RegistryEntry:
        fields = [
            CredentialField(name=name, label=name, required=required)
            for name, required in credentials.items()
        ]
        cls: Any = make_plugin(credentials=fields, auth_type=auth_type)
        return RegistryEntry(cls, cls.manifest, "imbi-plugin-tickets", "1.0")

    return make


@pytest.fixture
def empty_registry() -> Iterator[None]:
    """The registry, empty, and afterwards as it was."""
    kept = (dict(plugin_registry._registry), dict(plugin_registry._catalogues))
    plugin_registry._registry.clear()
    plugin_registry._catalogues.clear()
    yield
    for state, before in zip(
        (plugin_registry._registry, plugin_registry._catalogues), kept, strict=True
    ):
        state.clear()
        state.update(before)


@pytest.fixture
def installed(
    empty_registry: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], None]:
    """Makes entry points ``imbi.plugins`` of what it is given, by name."""
    found: list[metadata.EntryPoint] = []
    real = metadata.entry_points

    def entry_points(**selected: Any) -> Any:
        return found if selected == {"group": "imbi.plugins"} else real(**selected)

    monkeypatch.setattr(metadata, "entry_points", entry_points)

    def install(plugins: dict[str, Any]) -> None:
        found.clear()
        for name, plugin in plugins.items():
            module = ModuleType(f"plugin_{name.replace('-', '_')}")
            module.plugin = plugin  # type: ignore[attr-defined]  # made here
            monkeypatch.setitem(sys.modules, module.__name__, module)
            found.append(metadata.EntryPoint(name, f"{module.__name__}:plugin", "imbi.plugins"))

    return install
