"""The action ``gateway-actions#publish_release``, of Imbi's later versions."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import Skip
from imbi_sdk.json_pointer import JsonPointer
from imbi_worker.builtin.deployment_status import status_at
from imbi_worker.builtin.release_naming import tag_of
from imbi_worker.builtin.releases import Releases

HANDLER: Final = "gateway-actions#publish_release"


class PublishReleaseConfig(BaseModel):
    """Which release to publish, and where the status stands that decides about it."""

    model_config = ConfigDict(frozen=True)

    version_expression: str = Field(description="CEL: the tag of the release")
    status_selector: JsonPointer = Field(description="JSON pointer to the deployment's status")
    prerelease: bool = Field(default=False, description="whether to mark it as a pre-release")


async def publish_release(
    *,
    ctx: PluginContext,
    credentials: dict[str, str],  # noqa: ARG001 - the contract's keyword
    external_identifier: str,  # noqa: ARG001 - the contract's keyword
    action_config: PublishReleaseConfig,
    event: dict[str, Any],
) -> None:
    """Publish a release when its deployment has succeeded, and not otherwise.

    Running it again does no harm. A release that is not there yet is waited for.
    """
    status = status_at(event, action_config.status_selector, field="status_selector")
    if status != "success":
        raise Skip(f"the deployment status {status!r} publishes nothing")
    tag = await tag_of(action_config.version_expression, event)
    if tag is None:
        raise Skip("version_expression gives null: there is no release to publish")
    await Releases(ctx, HANDLER).publish(tag, is_prerelease=action_config.prerelease)
