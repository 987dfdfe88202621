"""Which classes may join the registry: the checks, in Imbi's order."""

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from imbi_sdk.analysis import AnalysisPlugin
from imbi_sdk.configuration import ConfigurationPlugin
from imbi_sdk.connection import ConnectionPlugin
from imbi_sdk.counterpart import adopt_descriptor, adopt_manifest, family
from imbi_sdk.deployment import DeploymentPlugin
from imbi_sdk.identity_plugin import IdentityPlugin
from imbi_sdk.incidents import IncidentsPlugin
from imbi_sdk.lifecycle import LifecyclePlugin
from imbi_sdk.logs import LogsPlugin
from imbi_sdk.manifest import PluginManifest, PluginType
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin

PluginClass: TypeAlias = (
    type[ConfigurationPlugin]
    | type[LogsPlugin]
    | type[IdentityPlugin]
    | type[DeploymentPlugin]
    | type[LifecyclePlugin]
    | type[WebhookActionPlugin]
    | type[AnalysisPlugin]
    | type[IncidentsPlugin]
    | type[ConnectionPlugin]
)

_LOGGER = logging.getLogger("imbi_common.plugins.registry")
_SUPPORTED_API_VERSIONS: Final = frozenset({1})
_BASES: Final[dict[PluginType, type]] = {
    "configuration": ConfigurationPlugin,
    "logs": LogsPlugin,
    "identity": IdentityPlugin,
    "deployment": DeploymentPlugin,
    "lifecycle": LifecyclePlugin,
    "webhook": WebhookActionPlugin,
    "analysis": AnalysisPlugin,
    "incidents": IncidentsPlugin,
    "connection": ConnectionPlugin,
}


@dataclass(frozen=True, slots=True)
class Admitted:
    """A class that passed; *actions* by name, empty for other types than webhook."""

    handler_cls: PluginClass
    manifest: PluginManifest
    actions: dict[str, ActionDescriptor]


@dataclass(frozen=True, slots=True)
class Refused:
    """A class that is wrong, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A class for hosts with another version of the plugin interface."""

    api_version: int


def examine(name: str, cls: Any) -> Admitted | Refused | Unsupported:
    """Judge what the entry point *name* gave; the first check that fails decides."""
    manifest = adopt_manifest(getattr(cls, "manifest", None))
    if manifest is None:
        return Refused("Missing or invalid manifest attribute")
    if not _is_plugin(cls):
        return Refused(
            "Plugin must subclass ConfigurationPlugin, LogsPlugin, IdentityPlugin, "
            "DeploymentPlugin, LifecyclePlugin, or WebhookActionPlugin"
        )
    expected = _BASES[manifest.plugin_type]
    if not issubclass(cls, family(expected)):
        return Refused(
            f"Class does not implement {expected.__name__} for plugin_type={manifest.plugin_type!r}"
        )
    if manifest.api_version not in _SUPPORTED_API_VERSIONS:
        _LOGGER.warning(
            "Plugin %r declares api_version=%d, not one of %s; skipping",
            name,
            manifest.api_version,
            sorted(_SUPPORTED_API_VERSIONS),
        )
        return Unsupported(manifest.api_version)
    actions = read_catalogue(name, cls) if expected is WebhookActionPlugin else {}
    return actions if isinstance(actions, Refused) else Admitted(cls, manifest, actions)


def read_catalogue(name: str, cls: Any) -> dict[str, ActionDescriptor] | Refused:
    """The actions of a webhook plugin by name, or why its catalogue is refused."""
    try:
        listed: Any = cls.actions()
    except Exception as error:
        _LOGGER.exception("Plugin %r failed to enumerate actions", name)
        return Refused(f"actions() raised: {error}")
    candidates = cast("list[object]", listed) if isinstance(listed, list) else [None]
    adopted = [adopt_descriptor(one) for one in candidates]
    descriptors = [one for one in adopted if one is not None]
    if len(descriptors) < len(adopted):
        return Refused("actions() must return list[ActionDescriptor]")
    if not descriptors:
        _LOGGER.warning("Plugin %r exposes no actions; the plugin is inert", name)
    names = Counter(one.name for one in descriptors)
    twice = sorted(action for action, count in names.items() if count > 1)
    if twice:
        return Refused(f"Duplicate action names within plugin: {twice}")
    return {one.name: one for one in descriptors}


def _is_plugin(cls: Any) -> bool:
    bases = tuple(base for ours in _BASES.values() for base in family(ours))
    return isinstance(cls, type) and issubclass(cls, bases)
