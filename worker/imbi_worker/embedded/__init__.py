"""A Redis and a Bolt server as child processes, for the demo, `run --embedded` and the tests."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "arcadedb": ("ArcadeDB",),
        "child": ("EmbeddedServerError",),
        "servers": ("Servers", "embedded_servers"),
        "valkey": ("Valkey",),
    },
)
