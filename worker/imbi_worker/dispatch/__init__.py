"""What a job's attempt comes to. Decides; does nothing to any queue."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "attempt": ("Attempt", "Terms"),
        "dispatcher": ("Dispatcher",),
        "plugins": ("GatewayCredentials", "InstalledPlugins", "StoredCredentials"),
        "ports": (
            "Clock",
            "Credentials",
            "Dispatches",
            "GraphReader",
            "Identity",
            "Integration",
            "Registry",
            "Resolved",
        ),
    },
)
