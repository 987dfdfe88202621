"""Jobs cancelled or run now; loaded by the commands that do it."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(__name__, {"controlling": ("Asked", "carry_out")})
