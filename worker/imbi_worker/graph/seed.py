"""A small Imbi, as values to write into an empty graph: for the demo and the tests."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from imbi_worker.graph.connection import Row, Transaction, rows
from imbi_worker.graph.plugins import Neo4jGraph


@dataclass(frozen=True, slots=True)
class SeedApplication:
    """*client_secret* is ciphertext."""

    slug: str
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SeedPlugin:
    """*configuration* is ciphertext. *options* are stored as Imbi does: as JSON text."""

    id: str
    plugin_slug: str
    configuration: str | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None
    application: SeedApplication | None = None


@dataclass(frozen=True, slots=True)
class SeedService:
    slug: str
    api_endpoint: str | None = None
    plugins: tuple[SeedPlugin, ...] = ()


@dataclass(frozen=True, slots=True)
class SeedProject:
    """*identifiers*: how the project is known, by the slug of the service."""

    id: str
    slug: str
    team: str
    identifiers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seed:
    """One organization; *teams* are slugs."""

    organization: str
    teams: tuple[str, ...] = ()
    services: tuple[SeedService, ...] = ()
    projects: tuple[SeedProject, ...] = ()


_ORGANIZATION = "MERGE (o:Organization {slug: $slug}) SET o.id = $slug, o.name = $slug"

_TEAMS = """
MATCH (o:Organization {slug: $organization})
UNWIND $rows AS row
MERGE (t:Team {slug: row.slug})
MERGE (t)-[:BELONGS_TO]->(o)
"""

_SERVICES = """
MATCH (o:Organization {slug: $organization})
UNWIND $rows AS row
MERGE (s:ThirdPartyService {slug: row.slug})
SET s.api_endpoint = row.api_endpoint
MERGE (s)-[:BELONGS_TO]->(o)
"""

_PLUGINS = """
UNWIND $rows AS row
MATCH (s:ThirdPartyService {slug: row.service})
MERGE (p:Plugin {id: row.id})
SET p.plugin_slug = row.plugin_slug, p.label = row.label, p.options = row.options,
    p.api_version = 1, p.plugin_configuration = row.configuration
MERGE (s)-[:HAS_PLUGIN]->(p)
"""

_APPLICATIONS = """
UNWIND $rows AS row
MATCH (p:Plugin {id: row.plugin_id})
MERGE (a:ServiceApplication {slug: row.slug})
SET a.client_id = row.client_id, a.client_secret = row.client_secret
MERGE (p)-[:USES_APPLICATION]->(a)
"""

_PROJECTS = """
UNWIND $rows AS row
MATCH (t:Team {slug: row.team})
MERGE (p:Project {id: row.id})
SET p.slug = row.slug
MERGE (p)-[:OWNED_BY]->(t)
"""

_PRESENCES = """
UNWIND $rows AS row
MATCH (p:Project {id: row.project_id}), (s:ThirdPartyService {slug: row.service})
MERGE (p)-[e:EXISTS_IN]->(s)
SET e.identifier = row.identifier
"""


async def plant(graph: Neo4jGraph, seed: Seed) -> None:
    """Write *seed*, in one transaction. What is there already is brought up to date."""

    async def work(transaction: Transaction) -> None:
        await rows(transaction, _ORGANIZATION, slug=seed.organization)
        for statement, values in _statements(seed):
            await rows(transaction, statement, organization=seed.organization, rows=values)

    await graph.connection.write(work)


def _statements(seed: Seed) -> list[tuple[str, list[Row]]]:
    plugins = [(service, plugin) for service in seed.services for plugin in service.plugins]
    return [
        (_TEAMS, [{"slug": team} for team in seed.teams]),
        (_SERVICES, [{"slug": s.slug, "api_endpoint": s.api_endpoint} for s in seed.services]),
        (_PLUGINS, [_plugin_row(service, plugin) for service, plugin in plugins]),
        (
            _APPLICATIONS,
            [
                asdict(plugin.application) | {"plugin_id": plugin.id}
                for _, plugin in plugins
                if plugin.application is not None
            ],
        ),
        (_PROJECTS, [{"id": p.id, "slug": p.slug, "team": p.team} for p in seed.projects]),
        (
            _PRESENCES,
            [
                {"project_id": project.id, "service": service, "identifier": identifier}
                for project in seed.projects
                for service, identifier in project.identifiers.items()
            ],
        ),
    ]


def _plugin_row(service: SeedService, plugin: SeedPlugin) -> Row:
    return {
        "service": service.slug,
        "id": plugin.id,
        "plugin_slug": plugin.plugin_slug,
        "label": plugin.label,
        "options": json.dumps(dict(plugin.options)),
        "configuration": plugin.configuration,
    }
