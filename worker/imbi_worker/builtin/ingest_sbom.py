"""The action ``gateway-actions#ingest_sbom``."""

import re
from typing import Any, Final

import jsonpointer
from pydantic import BaseModel, ConfigDict, Field

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import PermanentError, Skip, UpstreamError
from imbi_sdk.json_pointer import JsonPointer
from imbi_worker.builtin import cel
from imbi_worker.builtin.create_release import new_release
from imbi_worker.builtin.release_naming import tag_of
from imbi_worker.builtin.releases import Releases
from imbi_worker.builtin.selectors import value_at

HANDLER: Final = "gateway-actions#ingest_sbom"

_COMMITTISH: Final = re.compile(r"[0-9a-f]{7}")
_COMMITTISH_LENGTH: Final = 7


class IngestSbomConfig(BaseModel):
    """Where the SBoM stands in the event, and which release it is of."""

    model_config = ConfigDict(frozen=True)

    version_expression: str = Field(description="CEL: the tag of the release")
    sbom_selector: JsonPointer = Field(
        default_factory=lambda: jsonpointer.JsonPointer("/payload"),
        description="JSON pointer to the CycloneDX document",
    )
    committish_expression: str | None = Field(
        default=None,
        description="CEL: the commit of which to create the release when there is none; its "
        "first seven digits are used. Without it a release is waited for",
    )
    title_selector: JsonPointer | None = Field(
        default=None, description="JSON pointer to the title of a release that is created"
    )


async def ingest_sbom(
    *,
    ctx: PluginContext,
    credentials: dict[str, str],  # noqa: ARG001 - the contract's keyword
    external_identifier: str,  # noqa: ARG001 - the contract's keyword
    action_config: IngestSbomConfig,
    event: dict[str, Any],
) -> None:
    """Hand an SBoM to its release, which is created first if the rule says of which commit.

    Running it again does no harm: the SBoM of a release is replaced.
    """
    tag = await tag_of(action_config.version_expression, event)
    if tag is None:
        raise Skip("version_expression gives null: the SBoM is of no release")
    document = value_at(event, action_config.sbom_selector, field="sbom_selector")
    if not isinstance(document, dict):
        raise PermanentError(
            f"the SBoM at {action_config.sbom_selector.path!r} (the rule's 'sbom_selector') is "
            f"no JSON object, but a {type(document).__name__}"
        )
    releases = Releases(ctx, HANDLER)
    release_id = await releases.find(tag=tag)
    if release_id is None:
        release_id = await _created(releases, ctx, action_config, event, tag)
    await releases.put_sbom(release_id, document)


async def _created(
    releases: Releases,
    ctx: PluginContext,
    config: IngestSbomConfig,
    event: dict[str, Any],
    tag: str,
) -> str:
    if config.committish_expression is None:
        raise UpstreamError(f"Imbi has no release with tag {tag!r} yet; the SBoM waits for it")
    committish = await _committish(config.committish_expression, event)
    title = _title(config.title_selector, event)
    body = new_release(ctx, committish=committish, tag=tag, title=title)
    # Somebody else may be faster, and then it is theirs that we look for.
    release_id = await releases.create(body) or await releases.find(tag=tag)
    if release_id is None:
        raise UpstreamError(f"Imbi has a release {tag!r}, and does not list it yet")
    return release_id


async def _committish(expression: str, event: dict[str, Any]) -> str:
    found = await cel.evaluate(expression, event, field="committish_expression") or ""
    committish = found.strip().lower()[:_COMMITTISH_LENGTH]
    if _COMMITTISH.fullmatch(committish) is None:
        raise PermanentError("committish_expression gives no commit: no seven digits of a SHA")
    return committish


def _title(selector: JsonPointer | None, event: dict[str, Any]) -> str | None:
    """Not worth losing an SBoM over: what is no text gives way to the usual title."""
    if selector is None:
        return None
    found = selector.resolve(event, default=None)
    return found if isinstance(found, str) else None
