"""The ports that the SDK itself fills: its plugin registry and its encryption."""

from dataclasses import replace

from imbi_sdk.actions import callable_kind
from imbi_sdk.credentials import (
    credentials_from_application,
    credentials_from_record,
    uses_application,
)
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import PluginCredentialsMissing
from imbi_sdk.handler import parse_handler
from imbi_sdk.registry import RegistryEntry, find_action
from imbi_worker.dispatch.ports import Integration, Resolved


class InstalledPlugins:
    """The loaded plugins. How a callable is to be called is looked at once."""

    def __init__(self) -> None:
        self._known: dict[str, Resolved] = {}

    def find(self, handler: str) -> Resolved:
        """Raises `ValueError` for what is no handler, else as ``find_action`` does."""
        entry, descriptor = find_action(*parse_handler(handler))
        known = self._known.get(handler)
        # After a reload the same handler means another action.
        if known is None or known.entry is not entry or known.descriptor is not descriptor:
            known = self._known[handler] = Resolved(entry, descriptor, callable_kind(descriptor))
        return known


class StoredCredentials:
    """Credentials as Imbi stores them; without *encryption* the process's own key is used."""

    def __init__(self, encryption: TokenEncryption | None = None) -> None:
        self._encryption = encryption

    def uses_application(self, entry: RegistryEntry) -> bool:
        return uses_application(entry.manifest)

    def decrypt(self, integration: Integration, entry: RegistryEntry) -> dict[str, str]:
        if uses_application(entry.manifest):
            return credentials_from_application(integration.application, entry, self._encryption)
        return credentials_from_record(integration.record, entry, self._encryption)


class GatewayCredentials:
    """Credentials as Imbi's own gateway reads them: the plugin's blob, whatever is in it.

    A plugin that declares none is given none, one that declares some is given all there
    are, and an empty blob counts as missing even if every field is optional.
    """

    def __init__(self, encryption: TokenEncryption | None = None) -> None:
        self._encryption = encryption

    def uses_application(self, entry: RegistryEntry) -> bool:  # noqa: ARG002 - the port's signature
        return False

    def decrypt(self, integration: Integration, entry: RegistryEntry) -> dict[str, str]:
        if not entry.manifest.credentials:
            return {}
        undemanding = entry.manifest.model_copy(update={"credentials": []})
        found = credentials_from_record(
            integration.record, replace(entry, manifest=undemanding), self._encryption
        )
        if not found:
            raise PluginCredentialsMissing(
                f"plugin {entry.manifest.slug!r} declares credentials, none is stored"
            )
        return found
