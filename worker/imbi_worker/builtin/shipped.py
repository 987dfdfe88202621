"""What is loaded beside the installed plugins, and gives way to them."""

from typing import Final

from imbi_sdk.webhook import WebhookActionPlugin
from imbi_worker.builtin.gateway_actions import GatewayActions

BUILTINS: Final[tuple[type[WebhookActionPlugin], ...]] = (GatewayActions,)
