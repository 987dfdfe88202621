"""The queue: arq's Redis layout, our engine."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "assembly": ("WorkerPlan", "build_engine", "worker_id"),
        "connection": (
            "RedisAddressError",
            "connect",
            "in_database",
            "is_passing",
            "with_certificates",
        ),
        "dead_letters": ("Replayed", "replay"),
        "claim_loop": ("LayoutMismatch",),
        "engine": ("Engine", "EngineOptions"),
        "janitor": ("Retention",),
    },
)
