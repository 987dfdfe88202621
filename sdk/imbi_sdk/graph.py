"""What the plugin system asks of a graph database, and nothing more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from imbi_sdk.context import ServicePlugin


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """A configured plugin: its ``Plugin`` node and the service it stands on.

    *configuration* is ciphertext; *service_plugins* are its siblings on the
    service, without their credentials.
    """

    plugin_id: str
    plugin_slug: str
    configuration: str | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    service_slug: str | None = None
    service_endpoint: str | None = None
    service_plugins: tuple[ServicePlugin, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ServiceApplicationRecord:
    """The application a plugin logs in with; *client_secret* is ciphertext."""

    client_id: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)


class Graph(Protocol):
    """A graph that keeps plugins.

    Every method raises ``GraphUnavailable`` when the database cannot be reached
    in time, and only then: a node that is not there is an answer.
    """

    async def plugin(self, plugin_id: str) -> PluginRecord | None:
        """The plugin, or None when there is no such node."""
        ...

    async def service_application(self, plugin_id: str) -> ServiceApplicationRecord | None:
        """The application the plugin is linked to, or None when there is no link."""
        ...

    async def replace_configuration(
        self, plugin_id: str, *, expected: str | None, new: str | None
    ) -> bool:
        """Write the ciphertext *new*, if what stands there is still *expected*.

        One atomic step; False when another writer was first.

        :raises PluginRecordMissing: there is no such node
        """
        ...
