"""What an operator can ask and do: one service layer under the CLI and the JSON API.

Functions take open connections and plain values, return values and print nothing. What
goes wrong is an ``OperationError`` of one of five kinds, see ``errors``.
"""

from imbi_sdk.names import on_demand

# Whoever lists jobs decodes none.
__all__, __getattr__ = on_demand(__name__, {"reports": ("report",)})
