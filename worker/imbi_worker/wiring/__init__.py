"""The composition root: from settings to parts. Every other module gets plain values.

Parts load when they are asked for: who opens Redis waits for no graph driver and no plugin.
"""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "connections": ("open_graph", "open_redis", "open_store", "redis_url"),
        "event_loop": ("run_on",),
        "equipment": ("load", "require_encryption_key"),
        "gateway": ("action_queue", "signer"),
        "known_secrets": ("know_secrets",),
        "workers": (
            "ApiIdentity",
            "Opened",
            "SystemClock",
            "lookout",
            "queue_port",
            "with_embedded",
            "worker",
        ),
    },
)
