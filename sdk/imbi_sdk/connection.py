"""Connection plugins: the settings that the plugins of one service share."""

from abc import ABC
from typing import ClassVar

from imbi_sdk.manifest import PluginManifest


class ConnectionPlugin(ABC):
    """Holds options and credentials for its siblings on a third-party service.

    It has no methods and no host calls it: siblings find its options in
    ``PluginContext.service_plugins``.
    """

    manifest: ClassVar[PluginManifest]
