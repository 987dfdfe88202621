"""The action ``gateway-actions#add_deployment_event``."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import PermanentError, UpstreamError
from imbi_sdk.json_pointer import JsonPointer
from imbi_worker import identity
from imbi_worker.builtin.deployment_status import status_at
from imbi_worker.builtin.release_naming import committish_of, tag_of
from imbi_worker.builtin.releases import Releases
from imbi_worker.builtin.selectors import required_text_at, text_at

HANDLER: Final = "gateway-actions#add_deployment_event"


class AddDeploymentEventConfig(BaseModel):
    """Where the release, its environment and what happened there stand in the event."""

    model_config = ConfigDict(frozen=True)

    environment_selector: JsonPointer = Field(description="JSON pointer to the environment's slug")
    committish_expression: str = Field(description="CEL: the short SHA of the release")
    status_selector: JsonPointer = Field(description="JSON pointer to the deployment's status")
    version_expression: str | None = Field(
        default=None, description="CEL: the release's tag, where a commit has several"
    )
    note_selector: JsonPointer | None = Field(
        default=None, description="JSON pointer to a text about it"
    )
    external_run_id_selector: JsonPointer | None = Field(
        default=None,
        description="JSON pointer to the run's id: a later status of the run takes the place of "
        "an earlier one. Without it each is appended, and a run of unknown outcome is "
        "never repeated",
    )


def replaces(config: AddDeploymentEventConfig) -> bool:
    """Whether Imbi replaces the event of a run, so that sending it twice does no harm."""
    return config.external_run_id_selector is not None


async def add_deployment_event(
    *,
    ctx: PluginContext,
    credentials: dict[str, str],  # noqa: ARG001 - the contract's keyword
    external_identifier: str,  # noqa: ARG001 - the contract's keyword
    action_config: AddDeploymentEventConfig,
    event: dict[str, Any],
) -> None:
    """Tell Imbi what happened to a release in an environment.

    A release that is not there yet is waited for: the rule that creates it may
    have failed, and the event is lost if nobody asks again.
    """
    status = status_at(event, action_config.status_selector, field="status_selector")
    committish = await committish_of(action_config.committish_expression, event)
    tag = await tag_of(action_config.version_expression, event)
    environment = required_text_at(
        event, action_config.environment_selector, field="environment_selector"
    )
    body = {"status": status, **_particulars(action_config, event)}
    releases = Releases(ctx, HANDLER)
    release_id = await releases.find(committish=committish, tag=tag)
    if release_id is None:
        named = f"committish {committish!r}" + ("" if tag is None else f" and tag {tag!r}")
        raise UpstreamError(f"Imbi has no release with {named} yet; {status!r} waits for it")
    try:
        await releases.record_deployment(release_id, environment, body)
    except identity.Unanswered as error:
        if replaces(action_config):
            raise
        raise PermanentError(
            f"{error}; outcome unknown: look in Imbi whether the event is there, then replay or "
            "discard. With external_run_id_selector the rule could be repeated by itself"
        ) from None


def _particulars(config: AddDeploymentEventConfig, event: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    if config.note_selector is not None:
        note = text_at(event, config.note_selector, field="note_selector")
        if note is not None:
            found["note"] = note
    if config.external_run_id_selector is not None:
        found["external_run_id"] = required_text_at(
            event, config.external_run_id_selector, field="external_run_id_selector"
        )
    return found
