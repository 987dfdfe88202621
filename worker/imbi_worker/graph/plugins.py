"""Imbi's plugins in Neo4j: the SDK's ``Graph``, and what the operator's tools ask beside it."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from imbi_sdk.context import ServicePlugin
from imbi_sdk.errors import ConfigurationError, PluginRecordMissing
from imbi_sdk.graph import PluginRecord, ServiceApplicationRecord
from imbi_worker.graph.address import GraphAddress, GraphLimits
from imbi_worker.graph.connection import Connection, Row
from imbi_worker.graph.stored_text import NoSuchNode, StoredText

_LOGGER = logging.getLogger(__name__)
_LIMITS = GraphLimits()

# A plugin stands on one service. Should a graph say otherwise, the same one is taken each time.
_PLUGIN = """
MATCH (p:Plugin {id: $plugin_id})
OPTIONAL MATCH (s:ThirdPartyService)-[:HAS_PLUGIN]->(p)
WITH p, s ORDER BY s.slug LIMIT 1
OPTIONAL MATCH (s)-[:HAS_PLUGIN]->(sibling:Plugin) WHERE sibling.id <> p.id
RETURN coalesce(p.plugin_slug, '') AS plugin_slug, p.plugin_configuration AS configuration,
       p.options AS options, s.slug AS service_slug, s.api_endpoint AS service_endpoint,
       collect({slug: sibling.plugin_slug, options: sibling.options}) AS siblings
"""

_APPLICATION = """
MATCH (:Plugin {id: $plugin_id})-[:USES_APPLICATION]->(a:ServiceApplication)
RETURN a.client_id AS client_id, a.client_secret AS client_secret
ORDER BY a.slug LIMIT 1
"""

_PLUGINS = """
MATCH (p:Plugin)
OPTIONAL MATCH (s:ThirdPartyService)-[:HAS_PLUGIN]->(p)
OPTIONAL MATCH (p)-[:USES_APPLICATION]->(a:ServiceApplication)
RETURN p.id AS plugin_id, coalesce(p.plugin_slug, '') AS plugin_slug, p.label AS label,
       s.slug AS service_slug, s.api_endpoint AS service_endpoint,
       p.plugin_configuration IS NOT NULL AND p.plugin_configuration <> '' AS has_configuration,
       a.client_secret IS NOT NULL AND a.client_secret <> '' AS has_application
ORDER BY service_slug, plugin_slug, plugin_id
"""


_STORED = """
MATCH (p:Plugin) WHERE p.id IN $plugin_ids
OPTIONAL MATCH (p)-[:USES_APPLICATION]->(a:ServiceApplication)
RETURN p.id AS plugin_id, p.plugin_configuration AS configuration, a IS NOT NULL AS is_linked,
       a.client_id AS client_id, a.client_secret AS client_secret
ORDER BY a.slug
"""


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """What a plugin's credentials are made of; encrypted, as the graph has it."""

    configuration: str | None = field(default=None, repr=False)
    application: ServiceApplicationRecord | None = None


@dataclass(frozen=True, slots=True)
class PluginSummary:
    """A configured plugin without its secrets: whether they are there, never what they are."""

    plugin_id: str
    plugin_slug: str
    label: str | None
    service_slug: str | None
    service_endpoint: str | None
    has_configuration: bool
    has_application: bool


class Neo4jGraph:
    """The ``Graph`` of the SDK on Neo4j, or on a server that speaks Bolt and Cypher as it does.

    Every method raises ``GraphUnavailable`` when waiting may help and ``GraphMisconfigured``
    when it cannot. Belongs to one event loop; close it there.
    """

    def __init__(
        self,
        url: str,
        user: str | None,
        password: SecretStr,
        database: str = "neo4j",
        *,
        ca_file: Path | None = None,
        limits: GraphLimits = _LIMITS,
    ) -> None:
        address = GraphAddress(url, user, password, database, ca_file)
        self.connection = Connection(address, limits)

    @classmethod
    def at(cls, address: GraphAddress, *, limits: GraphLimits = _LIMITS) -> "Neo4jGraph":
        login = (address.url, address.user, address.password, address.database)
        return cls(*login, ca_file=address.ca_file, limits=limits)

    async def verify(self) -> None:
        """Return when the database answers a query of this user; raise, with the reason, if not."""
        await self.connection.read("RETURN 1 AS one")

    async def close(self) -> None:
        await self.connection.close()

    async def plugin(self, plugin_id: str) -> PluginRecord | None:
        found = await self.connection.read(_PLUGIN, plugin_id=plugin_id)
        return _record(plugin_id, found[0]) if found else None

    async def service_application(self, plugin_id: str) -> ServiceApplicationRecord | None:
        found = await self.connection.read(_APPLICATION, plugin_id=plugin_id)
        return ServiceApplicationRecord(**found[0]) if found else None

    async def replace_configuration(
        self, plugin_id: str, *, expected: str | None, new: str | None
    ) -> bool:
        node = "MATCH (n:Plugin {id: $plugin_id})"
        text = StoredText(node, "plugin_configuration", {"plugin_id": plugin_id})
        try:
            return await text.replace(self.connection, expected=expected, new=new)
        except NoSuchNode:
            raise PluginRecordMissing(plugin_id) from None

    async def list_plugins(self) -> tuple[PluginSummary, ...]:
        """Every plugin, by service and slug; one line for each service it stands on."""
        return tuple(PluginSummary(**row) for row in await self.connection.read(_PLUGINS))

    async def stored_credentials(self, plugin_ids: Sequence[str]) -> dict[str, StoredCredentials]:
        """Of all these plugins at once, by plugin id; without those that are not there."""
        found: dict[str, StoredCredentials] = {}
        for row in await self.connection.read(_STORED, plugin_ids=list(plugin_ids)):
            found.setdefault(row["plugin_id"], _stored(row))
        return found


def _stored(row: Row) -> StoredCredentials:
    configuration = row["configuration"]
    return StoredCredentials(
        # Somebody may have stored anything; what is no text no key opens.
        None if configuration is None else str(configuration),
        ServiceApplicationRecord(row["client_id"], row["client_secret"])
        if row["is_linked"]
        else None,
    )


def _record(plugin_id: str, row: Row) -> PluginRecord:
    return PluginRecord(
        plugin_id=plugin_id,
        plugin_slug=row["plugin_slug"],
        configuration=row["configuration"],
        options=MappingProxyType(_own_options(plugin_id, row["options"])),
        service_slug=row["service_slug"],
        service_endpoint=row["service_endpoint"],
        service_plugins=_siblings(row["siblings"]),
    )


def _siblings(found: list[Row]) -> tuple[ServicePlugin, ...]:
    # Without a sibling Cypher collects one map of nulls.
    named = sorted((row for row in found if row["slug"]), key=lambda row: row["slug"])
    return tuple(ServicePlugin(slug=row["slug"], options=_sibling_options(row)) for row in named)


def _own_options(plugin_id: str, stored: Any) -> dict[str, Any]:
    options = decode_options(stored)
    if options is None:
        raise ConfigurationError(
            f"The options of plugin id {plugin_id!r} are no JSON object: correct them in Imbi."
        )
    return options


def _sibling_options(row: Row) -> dict[str, Any]:
    options = decode_options(row["options"])
    if options is None:
        _LOGGER.warning("The options of the sibling plugin %r are no JSON object", row["slug"])
    return options or {}


def decode_options(stored: Any) -> dict[str, Any] | None:
    """Options as a map or as the JSON text of one; None when they are neither."""
    if stored is None or stored == "":
        return {}
    if isinstance(stored, str):
        try:
            stored = json.loads(stored)
        except ValueError:
            return None
    return dict(stored) if isinstance(stored, Mapping) else None
