"""The constraints and indexes that the reads rely on, and a command that creates them.

Only what every edition has: uniqueness and plain indexes. Neo4j Community refuses NODE KEY and
NOT NULL constraints, which ArcadeDB would accept.
"""

from dataclasses import dataclass

from neo4j.exceptions import ClientError, DatabaseError

from imbi_worker.graph.connection import Transaction
from imbi_worker.graph.errors import GraphMisconfigured, code_of
from imbi_worker.graph.plugins import Neo4jGraph


@dataclass(frozen=True, slots=True)
class SchemaElement:
    """A unique property of a label, or an indexed one."""

    label: str
    key: str
    is_unique: bool = False

    @property
    def name(self) -> str:
        return f"imbi_{self.label}_{self.key}".lower()

    @property
    def statement(self) -> str:
        if self.is_unique:
            return (
                f"CREATE CONSTRAINT {self.name} IF NOT EXISTS"
                f" FOR (n:{self.label}) REQUIRE n.{self.key} IS UNIQUE"
            )
        return f"CREATE INDEX {self.name} IF NOT EXISTS FOR (n:{self.label}) ON (n.{self.key})"

    def __str__(self) -> str:
        return f"{'constraint' if self.is_unique else 'index'} {self.label}.{self.key}"


# A team's and an application's slug are unique in their organization only.
SCHEMA = (
    SchemaElement("Organization", "slug", is_unique=True),
    SchemaElement("ThirdPartyService", "slug", is_unique=True),
    SchemaElement("Plugin", "id", is_unique=True),
    SchemaElement("Project", "id", is_unique=True),
    SchemaElement("Plugin", "plugin_slug"),
    SchemaElement("Project", "slug"),
    SchemaElement("ServiceApplication", "slug"),
    SchemaElement("Team", "slug"),
)


async def apply_schema(graph: Neo4jGraph) -> tuple[SchemaElement, ...]:
    """Create what is missing, and say what that was. Safe to repeat.

    Nodes that already break a constraint are an error; what was created before it stays.
    """
    return tuple([element for element in SCHEMA if await _create(graph, element)])


async def missing_schema(graph: Neo4jGraph) -> tuple[SchemaElement, ...]:
    """Those elements that the graph does not have; writes nothing."""
    query = "SHOW INDEXES YIELD labelsOrTypes, properties, owningConstraint"
    found = await graph.connection.read(query)
    indexed = {
        (label, key): bool(row["owningConstraint"])
        for row in found
        for label in row["labelsOrTypes"] or ()
        for key in row["properties"] or ()
        if len(row["properties"]) == 1
    }
    return tuple(
        element
        for element in SCHEMA
        if (element.label, element.key) not in indexed
        or (element.is_unique and not indexed[element.label, element.key])
    )


async def _create(graph: Neo4jGraph, element: SchemaElement) -> bool:
    async def work(transaction: Transaction) -> bool:
        result = await transaction.run(element.statement)
        counters = (await result.consume()).counters
        return bool(counters.constraints_added or counters.indexes_added)

    try:
        return await graph.connection.write(work)
    except (ClientError, DatabaseError) as error:
        raise GraphMisconfigured(
            f"The {element} cannot be created ({code_of(error)}). Most likely two {element.label}"
            f" nodes have the same {element.key}, or it is indexed under another name: look with"
            f" MATCH (n:{element.label}) WITH n.{element.key} AS k, count(*) AS c WHERE c > 1"
            " RETURN k, c, and with SHOW INDEXES."
        ) from error
