"""What an action is given beside config and event, by the way it takes in production."""

from collections.abc import Mapping
from typing import Final

from cryptography.fernet import Fernet

from imbi_sdk.attempt import Dead, DeathReason, Settled, Supplies
from imbi_sdk.context import PluginContext
from imbi_sdk.counterpart import context_for
from imbi_sdk.credentials import (
    credentials_from_application,
    credentials_from_record,
    uses_application,
)
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import PluginCredentialsMissing
from imbi_sdk.registry import RegistryEntry
from imbi_sdk.testing.graph import FakeGraph

PLUGIN_ID: Final = "plugin-1"


class StoredSupply:
    """Context and credentials, the latter by way of a graph: encrypted, then read."""

    def __init__(
        self, entry: RegistryEntry, credentials: Mapping[str, str], context: PluginContext
    ) -> None:
        self._entry = entry
        self._context = context
        self._encryption = TokenEncryption(Fernet.generate_key())
        self._graph = FakeGraph(self._encryption)
        if uses_application(entry.manifest):
            if credentials:
                self._graph.add_application(
                    PLUGIN_ID,
                    client_id=credentials.get("client_id"),
                    client_secret=credentials.get("client_secret"),
                )
        elif credentials:
            self._graph.add_plugin(PLUGIN_ID, entry.manifest.slug, credentials=credentials)

    async def __call__(self, *, fresh: bool) -> Supplies:
        del fresh
        return Supplies(
            context_for(self._entry.handler_cls, self._own_context()), await self._credentials()
        )

    def _own_context(self) -> PluginContext:
        # The resolver is a part of the process and has no copy.
        resolver = self._context.resolve_user_by_identity
        without = self._context.model_copy(update={"resolve_user_by_identity": None})
        copied = without.model_copy(deep=True)
        copied.resolve_user_by_identity = resolver
        return copied

    async def _credentials(self) -> dict[str, str]:
        entry, opener = self._entry, self._encryption
        try:
            if uses_application(entry.manifest):
                application = await self._graph.service_application(PLUGIN_ID)
                return credentials_from_application(application, entry, opener)
            return credentials_from_record(await self._graph.plugin(PLUGIN_ID), entry, opener)
        except PluginCredentialsMissing as error:
            reason = DeathReason.MISSING_CREDENTIALS
            dead = Dead(reason, f"{reason}: {error}", reported_as="skipped")
            raise Settled(dead) from None
