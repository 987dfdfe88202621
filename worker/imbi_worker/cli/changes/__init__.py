"""Jobs cancelled or run now, dead letters replayed or thrown away, holds; loaded on use.

Whoever only looks waits for no progress bar and no validator.
"""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "controlling": ("Asked", "carry_out"),
        "discarding": ("Found", "Order", "discard"),
        "holding": ("hold", "release"),
        "pace": ("per_second",),
        "replaying": ("Replay", "Request", "is_agreed", "new_config", "plan", "replay_all"),
    },
)
