"""The action ``gateway-actions#update_project``."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, RootModel

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import Skip
from imbi_sdk.json_pointer import JsonPointer
from imbi_worker import builtin
from imbi_worker.builtin.selectors import value_at

HANDLER: Final = "gateway-actions#update_project"


class FieldUpdate(BaseModel):
    """One value to copy: *from* a place in the event to a *path* in the project."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    path: JsonPointer
    source: JsonPointer = Field(alias="from")


class UpdateProjectConfig(RootModel[list[FieldUpdate]]):
    """What to copy, in this order."""


async def update_project(
    *,
    ctx: PluginContext,
    credentials: dict[str, str],  # noqa: ARG001 - the contract's keyword
    external_identifier: str,  # noqa: ARG001 - the contract's keyword
    action_config: UpdateProjectConfig,
    event: dict[str, Any],
) -> None:
    """Copy values of the event into the project, with one JSON Patch.

    All of them or none: a pointer that finds nothing ends the job before
    anything is sent. Running it again does no harm, unless a path ends in
    ``/-`` and so appends to an array.
    """
    updates = action_config.root
    if not updates:
        raise Skip("the rule's config names no field to update")
    operations = [
        {
            "op": "add",
            "path": update.path.path,
            "value": value_at(event, update.source, field="from"),
        }
        for update in updates
    ]
    await builtin.imbi_client().patch(
        "organizations",
        ctx.org_slug,
        "projects",
        ctx.project_id,
        operations=operations,
        handler=HANDLER,
    )
