"""The queue: arq's Redis layout, our engine."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "arq_pool": ("connect",),
        "assembly": ("WorkerPlan", "build_engine", "worker_id"),
        "connection": (
            "in_database",
            "is_passing",
            "open_client",
            "with_certificates",
        ),
        "dead_letters": ("Replayed", "replay"),
        "engine": ("Engine", "EngineOptions"),
        "errors": ("InvalidCursor", "NotAllowed", "RedisAddressError"),
        "janitor": ("Retention",),
        "trouble": ("LayoutMismatch",),
    },
)
