from imbi_worker.builtin.gateway_actions import GatewayActions
from imbi_worker.builtin.http import SESSIONS, close, imbi_client
from imbi_worker.builtin.shipped import BUILTINS, prepare

__all__ = [
    "BUILTINS",
    "SESSIONS",
    "GatewayActions",
    "close",
    "imbi_client",
    "prepare",
]
