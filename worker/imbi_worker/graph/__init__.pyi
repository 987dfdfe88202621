from imbi_worker.graph.address import (
    GraphAddress,
    GraphLimits,
    GraphMisconfigured,
)
from imbi_worker.graph.plugins import (
    Neo4jGraph,
    PluginSummary,
    StoredCredentials,
)
from imbi_worker.graph.schema import (
    SCHEMA,
    SchemaElement,
    apply_schema,
    missing_schema,
)
from imbi_worker.graph.secrets import (
    PLACES,
    Neo4jSecrets,
    Place,
    StoredSecret,
)
from imbi_worker.graph.stores import (
    Adapter,
    OpenGraph,
    UnknownStore,
    find_adapter,
)

__all__ = [
    "PLACES",
    "SCHEMA",
    "Adapter",
    "GraphAddress",
    "GraphLimits",
    "GraphMisconfigured",
    "Neo4jGraph",
    "Neo4jSecrets",
    "OpenGraph",
    "Place",
    "PluginSummary",
    "SchemaElement",
    "StoredCredentials",
    "StoredSecret",
    "UnknownStore",
    "apply_schema",
    "find_adapter",
    "missing_schema",
]
