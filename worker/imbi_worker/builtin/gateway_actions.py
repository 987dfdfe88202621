"""The plugin ``gateway-actions``: what a webhook may do to Imbi's own projects."""

from typing import ClassVar

from imbi_sdk.manifest import PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker.builtin.update_project import UpdateProjectConfig, update_project


class GatewayActions(WebhookActionPlugin):
    """Needs no credentials: the worker's own access to Imbi's API is used."""

    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="gateway-actions",
        name="Gateway actions",
        description="Writes what a webhook tells into Imbi's own projects.",
        plugin_type="webhook",
    )

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [
            ActionDescriptor(
                name="update_project",
                label="Update the project",
                description="Copies values of the event into fields of the project.",
                callable=update_project,
                config_model=UpdateProjectConfig,
            )
        ]
