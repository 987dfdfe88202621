"""What dispatch needs from the outside, each as narrow as it can be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from imbi_sdk.actions import CallableKind, UnfitCallable
from imbi_sdk.attempt import Clock as Clock
from imbi_sdk.attempt import Verdict
from imbi_sdk.context import UserResolver
from imbi_sdk.graph import PluginRecord, ServiceApplicationRecord
from imbi_sdk.registry import RegistryEntry
from imbi_sdk.webhook import ActionDescriptor
from imbi_worker.dispatch.attempt import Attempt, Terms


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a handler stands for; *kind* says how the action is called, or why it cannot be."""

    entry: RegistryEntry
    descriptor: ActionDescriptor
    kind: CallableKind | UnfitCallable

    @property
    def slug(self) -> str:
        return self.entry.manifest.slug


@dataclass(frozen=True, slots=True)
class Integration:
    """A configured plugin as it stands in the graph, secrets still encrypted.

    Both parts are None when there is no such node, or no plugin id.
    """

    record: PluginRecord | None = field(default=None, repr=False)
    application: ServiceApplicationRecord | None = field(default=None, repr=False)


class Registry(Protocol):
    """The plugins of this process."""

    def find(self, handler: str) -> Resolved:
        """What *handler* stands for; raises when it stands for nothing here."""
        ...


class GraphReader(Protocol):
    """The part of `imbi_sdk.graph.Graph` that only reads."""

    async def plugin(self, plugin_id: str) -> PluginRecord | None:
        """The plugin, or None; raises ``GraphUnavailable``."""
        ...

    async def service_application(self, plugin_id: str) -> ServiceApplicationRecord | None:
        """The application the plugin logs in with, or None; raises ``GraphUnavailable``."""
        ...


class Credentials(Protocol):
    """How stored credentials are read; asks no graph."""

    def uses_application(self, entry: RegistryEntry) -> bool:
        """Whether they lie in the linked service application."""
        ...

    def decrypt(self, integration: Integration, entry: RegistryEntry) -> dict[str, str]:
        """The credentials in the clear; raises ``PluginCredentialsMissing``."""
        ...


Fetch: TypeAlias = Literal["ok", "cached", "missing", "decrypt_error", "unavailable"]


class FetchObserver(Protocol):
    """Hears how the credentials of an attempt were come by. Never raises."""

    def __call__(self, result: Fetch, took_seconds: float) -> None: ...


class Identity(Protocol):
    """Who a remote user is in Imbi."""

    def resolver(self, plugin_slugs: Sequence[str]) -> UserResolver | None:
        """What ``resolve_user_by_identity`` of a context becomes.

        *plugin_slugs* are the plugins of the service, among them those that may
        know its users; None when none of them does.
        """
        ...


class Dispatches(Protocol):
    """What an engine asks of a dispatcher; see ``Dispatcher``."""

    @property
    def graph_down_until(self) -> datetime | None: ...

    async def run(self, attempt: Attempt) -> Verdict: ...

    def terms(self, handler: str) -> Terms: ...
