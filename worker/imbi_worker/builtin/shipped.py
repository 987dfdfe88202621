"""What is loaded beside the installed plugins, and gives way to them.

The catalogue alone is light: what only a running action needs (aiohttp, cel-python) loads when
it is used, since whoever lists plugins runs none.
"""

from typing import Final

from imbi_sdk.names import load_all
from imbi_sdk.webhook import WebhookActionPlugin
from imbi_worker import builtin, identity
from imbi_worker.builtin import cel
from imbi_worker.builtin.gateway_actions import GatewayActions

BUILTINS: Final[tuple[type[WebhookActionPlugin], ...]] = (GatewayActions,)


def prepare() -> None:
    """Load all that the actions use, so that no job waits for it. Idempotent."""
    for package in (builtin, cel, identity):
        load_all(package)
    cel.make_parser()
