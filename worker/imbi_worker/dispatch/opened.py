"""Credentials in the clear: for as long as an attempt uses them, and no longer.

Attempts of one integration that run at the same time share what the first of them has
decrypted. With the last one it is gone; only ciphertext is remembered (``integrations``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from imbi_sdk.registry import RegistryEntry
from imbi_worker.dispatch.ports import Credentials, Integration


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Opened:
    """What *integration* holds for the plugin *entry*; whoever uses it keeps it alive."""

    integration: Integration
    entry: RegistryEntry
    values: Mapping[str, str] = field(repr=False)


class OpenedCredentials:
    """Decrypts each integration once for all attempts that use it at the same time."""

    def __init__(self, stored: Credentials) -> None:
        self._stored = stored
        # By the integration's id, which is nobody else's as long as what was opened refers to it.
        self._in_use: WeakValueDictionary[int, Opened] = WeakValueDictionary()

    def uses_application(self, entry: RegistryEntry) -> bool:
        """Whether they lie in the linked service application."""
        return self._stored.uses_application(entry)

    def open(self, integration: Integration, entry: RegistryEntry) -> Opened:
        """The credentials, to be held by the attempt; raises ``PluginCredentialsMissing``."""
        opened = self._in_use.get(id(integration))
        # After a reload of the plugins another entry may read the same integration.
        if opened is None or opened.entry is not entry:
            values = self._stored.decrypt(integration, entry)
            opened = self._in_use[id(integration)] = Opened(integration, entry, values)
        return opened
