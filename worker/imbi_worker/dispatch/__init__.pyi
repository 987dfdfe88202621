from imbi_worker.dispatch.attempt import (
    Attempt,
    Terms,
)
from imbi_worker.dispatch.dispatcher import (
    Dispatcher,
)
from imbi_worker.dispatch.plugins import (
    GatewayCredentials,
    InstalledPlugins,
    StoredCredentials,
)
from imbi_worker.dispatch.ports import (
    Clock,
    Credentials,
    Dispatches,
    GraphReader,
    Identity,
    Integration,
    Registry,
    Resolved,
)

__all__ = [
    "Attempt",
    "Clock",
    "Credentials",
    "Dispatcher",
    "Dispatches",
    "GatewayCredentials",
    "GraphReader",
    "Identity",
    "InstalledPlugins",
    "Integration",
    "Registry",
    "Resolved",
    "StoredCredentials",
    "Terms",
]
