"""A graph in memory, for tests of whatever asks a ``Graph``."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import replace
from typing import Any

from cryptography.fernet import Fernet

from imbi_sdk.context import ServicePlugin
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import GraphUnavailable, PluginRecordMissing
from imbi_sdk.graph import PluginRecord, ServiceApplicationRecord


def fresh_encryption() -> AbstractContextManager[TokenEncryption]:
    """A new key for the length of the block, in place of the process's own."""
    return TokenEncryption.replaced_by(TokenEncryption(Fernet.generate_key()))


class FakeGraph:
    """A ``Graph`` that holds what it is given, encrypted as Imbi would have stored it.

    Without *encryption* it encrypts with the process's own, as the readers of
    `imbi_sdk.credentials` decrypt; `fresh_encryption` gives a test one. What is
    read are copies: changing one changes nothing here.
    """

    def __init__(self, encryption: TokenEncryption | None = None) -> None:
        self._encryption = encryption
        self._records: dict[str, PluginRecord] = {}
        self._applications: dict[str, ServiceApplicationRecord] = {}
        self._is_down = False

    def add_plugin(
        self,
        plugin_id: str,
        plugin_slug: str,
        *,
        credentials: Mapping[str, str] | None = None,
        ciphertext: str | None = None,
        options: Mapping[str, Any] | None = None,
        service: str | None = None,
        endpoint: str | None = None,
    ) -> None:
        """Put a configured plugin here, in place of one with the same id.

        *credentials* are encrypted; *ciphertext* is stored as it is. Plugins of one
        *service*, a slug, see each other as siblings.
        """
        if credentials is not None and ciphertext is not None:
            raise ValueError("give credentials or their ciphertext, not both")
        blob = ciphertext if credentials is None else self._encrypt(json.dumps(dict(credentials)))
        self._records[plugin_id] = PluginRecord(
            plugin_id, plugin_slug, blob, deepcopy(dict(options or {})), service, endpoint
        )

    def add_application(
        self,
        plugin_id: str,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        ciphertext: str | None = None,
    ) -> None:
        """Link a plugin to the service application it logs in with.

        *client_secret* is encrypted; *ciphertext* is stored as it is.
        """
        if client_secret is not None and ciphertext is not None:
            raise ValueError("give client_secret or its ciphertext, not both")
        secret = ciphertext if client_secret is None else self._encrypt(client_secret)
        self._applications[plugin_id] = ServiceApplicationRecord(client_id, secret)

    def go_down(self) -> None:
        """Be unreachable, until `come_back`."""
        self._is_down = True

    def come_back(self) -> None:
        self._is_down = False

    async def plugin(self, plugin_id: str) -> PluginRecord | None:
        self._answer()
        record = self._records.get(plugin_id)
        if record is None:
            return None
        return replace(
            record,
            options=deepcopy(dict(record.options)),
            service_plugins=tuple(self._siblings(record)),
        )

    async def service_application(self, plugin_id: str) -> ServiceApplicationRecord | None:
        self._answer()
        return self._applications.get(plugin_id)

    async def replace_configuration(
        self, plugin_id: str, *, expected: str | None, new: str | None
    ) -> bool:
        self._answer()
        record = self._records.get(plugin_id)
        if record is None:
            raise PluginRecordMissing(plugin_id)
        if record.configuration != expected:
            return False
        self._records[plugin_id] = replace(record, configuration=new)
        return True

    def _answer(self) -> None:
        if self._is_down:
            raise GraphUnavailable("the fake graph was told to be down")

    def _encrypt(self, text: str) -> str | None:
        return (self._encryption or TokenEncryption.get_instance()).encrypt(text)

    def _siblings(self, record: PluginRecord) -> Iterator[ServicePlugin]:
        for other in sorted(self._records.values(), key=lambda each: each.plugin_slug):
            is_neighbour = other.service_slug is not None and (
                other.service_slug == record.service_slug
            )
            if is_neighbour and other.plugin_id != record.plugin_id:
                yield ServicePlugin(slug=other.plugin_slug, options=deepcopy(dict(other.options)))
