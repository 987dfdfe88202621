"""The plugins that come with the worker."""

from typing import Final

from imbi_sdk.webhook import WebhookActionPlugin
from imbi_worker.builtin.gateway_actions import GatewayActions as GatewayActions
from imbi_worker.builtin.http import SESSIONS as SESSIONS
from imbi_worker.builtin.http import close as close

BUILTINS: Final[tuple[type[WebhookActionPlugin], ...]] = (GatewayActions,)
