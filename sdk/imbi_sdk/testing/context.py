"""The project a test runs an action for."""

from typing import Any

from imbi_sdk.context import PluginContext


def sample_context(
    *, service: str | None = None, endpoint: str | None = None, **fields: Any
) -> PluginContext:
    """The context of a sample project; *fields* are those of `PluginContext`.

    *service* and *endpoint* go where an action finds the slug and the address of the
    third-party service: into ``assignment_options``.
    """
    options = dict(fields.pop("assignment_options", {}))
    if service is not None:
        options["service_slug"] = service
    if endpoint is not None:
        options["service_endpoint"] = endpoint
    project = {
        "project_id": "1",
        "project_slug": "harbor-api",
        "org_slug": "tidewater",
        "team_slug": "quayside",
    }
    return PluginContext.model_validate({**project, **fields, "assignment_options": options})
