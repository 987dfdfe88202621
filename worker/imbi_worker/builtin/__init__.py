"""The plugins that come with the worker."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "gateway_actions": ("GatewayActions",),
        "http": ("SESSIONS", "close", "imbi_client"),
        "shipped": ("BUILTINS", "prepare"),
    },
)
