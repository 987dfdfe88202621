"""The action ``gateway-actions#create_release``."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from imbi_sdk.context import PluginContext
from imbi_sdk.json_pointer import JsonPointer
from imbi_worker.builtin.release_naming import committish_of, tag_of
from imbi_worker.builtin.releases import Releases
from imbi_worker.builtin.selectors import text_at

HANDLER: Final = "gateway-actions#create_release"


class CreateReleaseConfig(BaseModel):
    """Where commit, title and tag of the new release stand in the event."""

    model_config = ConfigDict(frozen=True)

    title_selector: JsonPointer = Field(description="JSON pointer to the release's title")
    committish_expression: str = Field(description="CEL: the short SHA, seven digits of it")
    version_expression: str | None = Field(
        default=None, description="CEL: the tag; null or absent for a release without one"
    )


async def create_release(
    *,
    ctx: PluginContext,
    credentials: dict[str, str],  # noqa: ARG001 - the contract's keyword
    external_identifier: str,  # noqa: ARG001 - the contract's keyword
    action_config: CreateReleaseConfig,
    event: dict[str, Any],
) -> None:
    """Create the release that a deployment is of, unless there is one.

    Running it again does no harm: Imbi answers 409, which is as good as done.
    """
    committish = await committish_of(action_config.committish_expression, event)
    tag = await tag_of(action_config.version_expression, event)
    title = text_at(event, action_config.title_selector, field="title_selector")
    await Releases(ctx, HANDLER).create(
        new_release(ctx, committish=committish, tag=tag, title=title)
    )


def new_release(
    ctx: PluginContext, *, committish: str, tag: str | None, title: str | None
) -> dict[str, str]:
    """The body of the request; who acted is named when that is known."""
    body = {"committish": committish, "title": title or f"Release {tag or committish}"}
    if tag is not None:
        body["tag"] = tag
    if ctx.actor_user_id is not None:
        body["created_by"] = ctx.actor_user_id
    return body
