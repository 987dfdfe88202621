"""Imbi's own API: how it is reached, and who its users are elsewhere."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "address": ("ApiAddress",),
        "api": ("ApiClient",),
        "reply": ("Reply", "Unanswered"),
        "sessions": ("Sessions",),
        "users": ("ImbiIdentity",),
    },
)
