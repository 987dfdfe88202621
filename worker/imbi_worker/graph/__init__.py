"""The graph that holds Imbi's plugins and their credentials, by Neo4j's official driver."""

from .address import GraphAddress, GraphLimits
from .errors import GraphMisconfigured
from .plugins import Neo4jGraph, PluginSummary
from .schema import SCHEMA, SchemaElement, apply_schema
from .secrets import PLACES, Neo4jSecrets, Place, StoredSecret
from .stores import OpenGraph, UnknownStore, find_adapter

__all__ = [
    "PLACES",
    "SCHEMA",
    "GraphAddress",
    "GraphLimits",
    "GraphMisconfigured",
    "Neo4jGraph",
    "Neo4jSecrets",
    "OpenGraph",
    "Place",
    "PluginSummary",
    "SchemaElement",
    "StoredSecret",
    "UnknownStore",
    "apply_schema",
    "find_adapter",
]
