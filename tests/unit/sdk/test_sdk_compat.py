"""Imbi's import paths, with and without an installed imbi-common."""

import importlib
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ImportString

import imbi_sdk
from imbi_sdk import (
    PluginContext,
    ServicePlugin,
    compat,
    find_action,
    get_plugin,
    load_plugins,
    serving,
)
from imbi_sdk.counterpart import context_for

Install = Callable[[dict[str, Any]], None]
MakePlugin = Callable[..., Any]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No module of imbi_common is imported yet, and the finder is the only one."""
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_imbis(name)}
    compat.install()
    yield
    for name in [name for name in sys.modules if _is_imbis(name)]:
        del sys.modules[name]
    sys.modules.update(kept)


def _is_imbis(name: str) -> bool:
    return name.partition(".")[0] == "imbi_common"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("imbi_common.auth.encryption", "imbi_sdk.encryption"),
        ("imbi_common.json_pointer", "imbi_sdk.json_pointer"),
        ("imbi_common.plugins.credentials", "imbi_sdk.credentials"),
        ("imbi_common.plugins.errors", "imbi_sdk.errors"),
        ("imbi_common.plugins.registry", "imbi_sdk.registry"),
        ("imbi_common.plugins.schemas", "imbi_sdk.schemas"),
        ("imbi_common.plugins.templates", "imbi_sdk.templates"),
        ("imbi_common.settings", "imbi_sdk.settings"),
    ],
)
def test_a_path_of_imbi_leads_to_our_module(clean: None, theirs: str, ours: str) -> None:
    """The same module: what is set on one is seen on the other, and it keeps its own spec."""
    served = importlib.import_module(theirs)
    assert served is importlib.import_module(ours)
    assert served.__name__ == ours
    assert served.__spec__ is not None
    assert served.__spec__.name == ours
    parent, _, child = theirs.rpartition(".")
    assert getattr(importlib.import_module(parent), child) is served


def test_the_plugin_package_has_every_name_of_ours(clean: None) -> None:
    """The same objects, not copies."""
    served = importlib.import_module("imbi_common.plugins")
    assert {name: getattr(served, name) for name in imbi_sdk.__all__} == {
        name: getattr(imbi_sdk, name) for name in imbi_sdk.__all__
    }
    assert served.__all__ == imbi_sdk.__all__


BASE_NAMES = """
    ActionDescriptor AnalysisPlugin AnalysisResultItem AnalysisResultStatus AuthorizationRequest
    CheckStatus Commit CompareResult ConnectionPlugin ConfigKey
    ConfigKeyWithValue ConfigValue ConfigurationPlugin
    CredentialField DataType DeploymentEventStatus DeploymentPlugin DeploymentRun
    IdentityCredentials IdentityPlugin IdentityProfile IncidentResult IncidentView IncidentsPlugin
    LifecyclePlugin LifecycleResult LinkWriteback LogEntry LogFilter LogHistogramBucket LogQuery
    LogResult LogsPlugin OpsLogTemplate PluginContext PluginEdgeLabel PluginIndex PluginManifest
    PluginOption PluginType PluginVertexLabel PollingDescriptor Ref RefInfo ReleaseInfo
    RelocationTarget RemediationOffer RemediationResult RemoteDeployment
    ServiceConnection ServicePlugin ServiceWriteback
    WebhookActionCallable WebhookActionPlugin WorkflowFile
"""


@pytest.mark.parametrize("name", BASE_NAMES.split())
def test_the_base_module_has_the_classes_of_imbi(clean: None, name: str) -> None:
    """Plugins derive from these, under this path."""
    assert getattr(importlib.import_module("imbi_common.plugins.base"), name) is getattr(
        imbi_sdk, name
    )


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        ("import imbi_common.clickhouse", "imbi_common.clickhouse"),
        ("from imbi_common import clickhouse", "imbi_common.clickhouse"),
        ("from imbi_common.models import CommitRecord", "imbi_common.models"),
        ("from imbi_common.auth import sessions", "imbi_common.auth.sessions"),
        ("import imbi_common.plugins.somewhere", "imbi_common.plugins.somewhere"),
    ],
)
def test_what_is_not_served_says_what_to_install(clean: None, statement: str, path: str) -> None:
    """Whichever way a plugin asks: the module, the package it is in, the command."""
    with pytest.raises(ModuleNotFoundError) as raised:
        exec(statement)  # noqa: S102 - written above
    assert str(raised.value).startswith(f"No module named {path!r}: it is part of imbi-common")
    assert "pip install 'imbi-common" in str(raised.value)


def test_a_name_of_another_package_is_left_to_other_finders(clean: None) -> None:
    """One that only begins alike is none of ours."""
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'imbi_commons'$"):
        importlib.import_module("imbi_commons")


def test_a_plugin_written_for_imbi_loads(clean: None, installed: Install) -> None:
    """Import, derive, declare: all through Imbi's own paths."""
    source = """
from imbi_common.json_pointer import JsonPointer
from imbi_common.plugins import ActionDescriptor, PluginManifest
from imbi_common.plugins.base import WebhookActionPlugin
from imbi_common.plugins.errors import PluginUnavailableError
import pydantic

class Config(pydantic.BaseModel):
    key: JsonPointer

async def sync(*, ctx, credentials, external_identifier, action_config, payload):
    raise PluginUnavailableError

class Sonar(WebhookActionPlugin):
    manifest = PluginManifest(slug='sonar', name='Sonar', plugin_type='webhook')

    @classmethod
    def actions(cls):
        return [ActionDescriptor(name='sync', label='Sync', callable=sync, config_model=Config)]
"""
    module: dict[str, Any] = {"__name__": "sonar"}
    exec(source, module)  # noqa: S102 - written above
    installed({"sonar": module["Sonar"]})
    assert load_plugins() == (["sonar"], {}, [])
    assert find_action("sonar", "sync")[1].callable is module["sync"]


def test_installing_twice_installs_once(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading plugins again adds no finder, and ours comes behind those that are there."""
    others = [finder for finder in sys.meta_path if not isinstance(finder, serving._Finder)]
    monkeypatch.setattr(sys, "meta_path", [*others])
    compat.install()
    compat.install()
    *before, last = sys.meta_path
    assert before == others
    assert isinstance(last, serving._Finder)


@dataclass(frozen=True)
class TheirEntry:
    """As the real registry keeps them."""

    handler_cls: type
    manifest: Any
    package_name: str
    package_version: str


@pytest.fixture
def real(clean: None, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An imbi-common of an early release, in memory: its own classes, fewer fields."""

    class PluginManifest(BaseModel):
        slug: str
        name: str
        plugin_type: str
        api_version: int = 1

    class PluginContext(BaseModel):
        project_id: str
        project_slug: str
        org_slug: str
        assignment_options: dict[str, Any] = {}
        resolve_user_by_identity: Callable[[str], Awaitable[str | None]] | None = None

    class ActionDescriptor(BaseModel):
        name: str
        label: str
        callable: ImportString[Callable[..., Any]]
        config_model: ImportString[type[BaseModel]]

    class WebhookActionPlugin(ABC):
        @classmethod
        @abstractmethod
        def actions(cls) -> list[ActionDescriptor]: ...

    classes = {
        cls.__name__: cls
        for cls in (PluginManifest, PluginContext, ActionDescriptor, WebhookActionPlugin)
    }
    registry: dict[str, TheirEntry] = {"gone": TheirEntry(object, None, "x", "1")}
    modules = {
        "imbi_common": {},
        "imbi_common.plugins": {},
        "imbi_common.plugins.base": classes,
        "imbi_common.plugins.registry": {
            "RegistryEntry": TheirEntry,
            "_registry": registry,
            "_lock": threading.RLock(),
        },
    }
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        module.__path__ = []  # type: ignore[attr-defined]  # a package
        monkeypatch.setitem(sys.modules, name, module)
    return SimpleNamespace(registry=registry, **classes)


async def run(**kwargs: Any) -> None:
    """Run."""


def their_plugin(real: Any, **manifest: Any) -> Any:
    fields = {"slug": "theirs", "name": "Theirs", "plugin_type": "webhook"} | manifest

    def actions(_cls: type) -> list[Any]:
        fields = {"name": "run", "label": "Run", "callable": run, "config_model": BaseModel}
        return [real.ActionDescriptor(**fields)]

    return type(
        "Theirs",
        (real.WebhookActionPlugin,),
        {"manifest": real.PluginManifest(**fields), "actions": classmethod(actions)},
    )


def test_nothing_of_ours_is_mixed_into_an_installed_imbi_common(real: Any) -> None:
    """A module it does not have stays missing."""
    assert not compat.is_served("imbi_common")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("imbi_common.json_pointer")


def test_plugins_of_both_families_load(
    real: Any, installed: Install, make_plugin: MakePlugin
) -> None:
    """What theirs declare is at hand as our models, with every default of ours."""
    installed({"theirs": their_plugin(real), "ours": make_plugin("ours")})
    assert load_plugins() == (["theirs", "ours"], {}, [])
    manifest = get_plugin("theirs").manifest
    assert type(manifest) is imbi_sdk.PluginManifest
    assert (manifest.slug, manifest.auth_type, manifest.credentials) == ("theirs", "api_token", [])
    descriptor = find_action("theirs", "run")[1]
    assert type(descriptor) is imbi_sdk.ActionDescriptor
    assert (descriptor.callable, descriptor.timeout) == (run, None)


def test_the_other_registry_is_filled_from_ours(
    real: Any, installed: Install, make_plugin: MakePlugin
) -> None:
    """With what each plugin declared itself; what was there before is gone."""
    theirs, ours = their_plugin(real), make_plugin("ours")
    installed({"theirs": theirs, "ours": ours})
    load_plugins()
    assert real.registry == {
        "theirs": TheirEntry(theirs, theirs.manifest, "unknown", "unknown"),
        "ours": TheirEntry(ours, ours.manifest, "unknown", "unknown"),
    }


def test_a_manifest_of_theirs_that_ours_cannot_say_is_refused(
    real: Any, installed: Install, make_plugin: MakePlugin
) -> None:
    """It keeps no other from loading."""
    installed({"p": their_plugin(real, plugin_type="teapot"), "ours": make_plugin("ours")})
    result = load_plugins()
    assert result.loaded == ["ours"]
    assert result.errors == {"p": "Missing or invalid manifest attribute"}


async def test_a_plugin_is_given_the_context_of_its_family(
    real: Any, make_plugin: MakePlugin
) -> None:
    """Theirs is equal in the fields it has, the resolver among them."""

    async def resolve(subject: str) -> str | None:
        return subject

    ours = PluginContext(
        project_id="1",
        project_slug="api",
        org_slug="acme",
        assignment_options={"service_slug": "sonar"},
        service_plugins=[ServicePlugin(slug="github")],
        resolve_user_by_identity=resolve,
    )
    theirs: Any = context_for(their_plugin(real), ours)
    assert type(theirs) is real.PluginContext
    assert theirs.assignment_options == {"service_slug": "sonar"}
    assert await theirs.resolve_user_by_identity("ada") == "ada"
    assert context_for(make_plugin(), ours) is ours


def test_without_imbi_common_there_is_one_family(clean: None, make_plugin: MakePlugin) -> None:
    """The context is the SDK's own."""
    context = PluginContext(project_id="1", project_slug="api", org_slug="acme")
    assert context_for(make_plugin(), context) is context


def test_an_imbi_common_of_another_architecture_is_left_alone(
    real: Any, installed: Install, make_plugin: MakePlugin
) -> None:
    """Its registry holds other entries; ours loads all the same."""
    sys.modules["imbi_common.plugins.registry"].RegistryEntry = object  # type: ignore[attr-defined]  # the point
    del sys.modules["imbi_common.plugins.base"].WebhookActionPlugin  # type: ignore[attr-defined]  # the point
    installed({"ours": make_plugin("ours")})
    assert load_plugins().loaded == ["ours"]
    assert set(real.registry) == {"gone"}


def test_an_imbi_common_that_nobody_uses_is_not_imported(
    real: Any, installed: Install, make_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One made for a newer Python, say, fails only the plugins that are built on it."""
    monkeypatch.delitem(sys.modules, "imbi_common.plugins.base")
    monkeypatch.delitem(sys.modules, "imbi_common.plugins.registry")
    installed({"ours": make_plugin("ours")})
    assert load_plugins() == (["ours"], {}, [])
    assert "imbi_common.plugins.base" not in sys.modules


def test_the_sdk_asks_for_no_heavy_package() -> None:
    """A plugin author installs three packages, and no driver or client."""
    needed = [text for text in metadata.requires("imbi-sdk") or [] if "extra ==" not in text]
    assert sorted(text.split(" ")[0].split(">")[0] for text in needed) == [
        "cryptography",
        "jsonpointer",
        "pydantic",
    ]
