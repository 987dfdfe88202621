"""The plugin ``gateway-actions``: what a webhook may do to Imbi's own projects."""

from typing import ClassVar

from imbi_sdk.manifest import PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker.builtin.add_deployment_event import (
    AddDeploymentEventConfig,
    add_deployment_event,
    replaces,
)
from imbi_worker.builtin.create_release import CreateReleaseConfig, create_release
from imbi_worker.builtin.ingest_sbom import IngestSbomConfig, ingest_sbom
from imbi_worker.builtin.publish_release import PublishReleaseConfig, publish_release
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
            ),
            ActionDescriptor(
                name="create_release",
                label="Create a release",
                description="Creates the release that a deployment is of, unless there is one.",
                callable=create_release,
                config_model=CreateReleaseConfig,
            ),
            ActionDescriptor(
                name="add_deployment_event",
                label="Add a deployment event",
                description="Writes what happened to a release in an environment.",
                callable=add_deployment_event,
                config_model=AddDeploymentEventConfig,
                idempotent=False,
                idempotent_when=replaces,
            ),
            ActionDescriptor(
                name="ingest_sbom",
                label="Ingest an SBoM",
                description="Hands a CycloneDX document to the release that it is of.",
                callable=ingest_sbom,
                config_model=IngestSbomConfig,
            ),
            ActionDescriptor(
                name="publish_release",
                label="Publish a release",
                description="Publishes a release when its deployment has succeeded.",
                callable=publish_release,
                config_model=PublishReleaseConfig,
            ),
        ]
