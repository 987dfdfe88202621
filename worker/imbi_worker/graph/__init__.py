"""The graph that holds Imbi's plugins and their credentials, by Neo4j's official driver."""

from .address import GraphAddress, GraphLimits
from .errors import GraphMisconfigured
from .plugins import Neo4jGraph, PluginSummary
from .schema import SCHEMA, SchemaElement, apply_schema
from .stores import OpenGraph, UnknownStore, find_adapter

__all__ = [
    "SCHEMA",
    "GraphAddress",
    "GraphLimits",
    "GraphMisconfigured",
    "Neo4jGraph",
    "OpenGraph",
    "PluginSummary",
    "SchemaElement",
    "UnknownStore",
    "apply_schema",
    "find_adapter",
]
