from imbi_worker.builtin.gateway_actions import (
    GatewayActions,
)
from imbi_worker.builtin.http import (
    SESSIONS,
    close,
)
from imbi_worker.builtin.shipped import (
    BUILTINS,
)

__all__ = [
    "BUILTINS",
    "SESSIONS",
    "GatewayActions",
    "close",
]
