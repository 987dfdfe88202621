"""The graph that holds Imbi's plugins and their credentials, by Neo4j's official driver."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "address": ("GraphAddress", "GraphLimits", "GraphMisconfigured"),
        "plugins": ("Neo4jGraph", "PluginSummary", "StoredCredentials"),
        "schema": ("SCHEMA", "SchemaElement", "apply_schema", "missing_schema"),
        "secrets": ("Neo4jSecrets", "PLACES", "Place", "StoredSecret"),
        "stores": ("Adapter", "OpenGraph", "UnknownStore", "find_adapter"),
    },
)
