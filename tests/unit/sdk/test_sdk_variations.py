"""The plugin variations beside webhooks: what must be written, and what need not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from imbi_sdk import (
    AnalysisPlugin,
    AnalysisResultItem,
    AuthorizationRequest,
    Commit,
    CompareResult,
    ConfigKeyWithValue,
    ConfigurationPlugin,
    ConfigValue,
    DeploymentPlugin,
    DeploymentRun,
    IdentityCredentials,
    IdentityPlugin,
    IdentityProfile,
    IncidentResult,
    IncidentsPlugin,
    IncidentView,
    LifecyclePlugin,
    LifecycleResult,
    LogEntry,
    LogQuery,
    LogResult,
    LogsPlugin,
    PluginContext,
    PollingDescriptor,
    Ref,
    RemoteDeployment,
    WorkflowFile,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CONTEXT = PluginContext(project_id="1", project_slug="api", org_slug="acme")


def made(base: type) -> Any:
    """An instance with every abstract method filled in."""
    required = dict.fromkeys(base.__abstractmethods__, lambda *_: None)  # type: ignore[attr-defined]  # an ABC
    return type("Made", (base,), required)()


@pytest.mark.parametrize(
    ("base", "required"),
    [
        (AnalysisPlugin, "analyze"),
        (ConfigurationPlugin, "delete_key get_values list_keys set_value"),
        (
            DeploymentPlugin,
            """compare get_deployment_status list_commits list_refs resolve_committish
            trigger_deployment""",
        ),
        (IdentityPlugin, "authorization_request exchange_code refresh"),
        (IncidentsPlugin, "list_incidents"),
        (LifecyclePlugin, "on_project_archived"),
        (LogsPlugin, "schema search"),
    ],
)
def test_a_variation_says_what_must_be_written(base: type, required: str) -> None:
    """Anything less cannot be made."""
    assert sorted(base.__abstractmethods__) == required.split()  # type: ignore[attr-defined]  # an ABC
    with pytest.raises(TypeError, match="abstract"):
        base()
    assert made(base)


@pytest.mark.parametrize(
    ("base", "method", "arguments"),
    [
        (DeploymentPlugin, "create_tag", ("sha", "v1", "first")),
        (DeploymentPlugin, "create_release", ("v1", "First", "text")),
        (DeploymentPlugin, "list_workflows", ()),
        (DeploymentPlugin, "list_recent_deployments", (["production"],)),
        (LifecyclePlugin, "on_project_unarchived", ()),
        (LifecyclePlugin, "on_project_created", ()),
        (LifecyclePlugin, "on_project_updated", ()),
        (LifecyclePlugin, "on_project_deleted", ()),
        (LifecyclePlugin, "on_project_relocated", ()),
    ],
)
async def test_a_step_that_is_not_offered_says_so(
    base: type, method: str, arguments: tuple[Any, ...]
) -> None:
    """A host tells NotImplementedError from a failure."""
    with pytest.raises(NotImplementedError):
        await getattr(made(base), method)(CONTEXT, {}, *arguments)


async def test_other_optional_steps_have_a_harmless_answer() -> None:
    """Nothing to show, nothing known, nothing changed."""
    query = LogQuery(start_time=NOW, end_time=NOW)
    tokens = IdentityCredentials(access_token="x")
    assert await made(LogsPlugin).histogram(CONTEXT, {}, query) == []
    assert await made(DeploymentPlugin).get_check_status(CONTEXT, {}, "main") == "unknown"
    assert await made(LifecyclePlugin).resolve_relocation_target(CONTEXT, {}) is None
    assert await made(IdentityPlugin).revoke(CONTEXT, {}, "x") is None
    assert await made(IdentityPlugin).materialize(CONTEXT, {}, tokens) is tokens


@pytest.mark.parametrize(
    ("model", "given", "defaults"),
    [
        (ConfigValue, {"data_type": "text", "value": "x"}, {"secret": False}),
        (
            ConfigKeyWithValue,
            {"key": "k", "data_type": "text", "value": "x"},
            {"last_modified": None, "secret": False},
        ),
        (
            LogQuery,
            {"start_time": NOW, "end_time": NOW},
            {"filters": [], "limit": 100, "cursor": None, "levels": []},
        ),
        (LogEntry, {"timestamp": NOW, "message": "m"}, {"level": None, "raw": {}}),
        (LogResult, {"entries": []}, {"next_cursor": None, "total": None, "warnings": []}),
        (
            IdentityProfile,
            {"subject": "ada"},
            {
                "email": None,
                "email_verified": False,
                "name": None,
                "avatar_url": None,
                "groups": [],
                "raw_claims": {},
            },
        ),
        (
            PollingDescriptor,
            {"user_code": "c", "verification_uri": "u", "expires_in": 900},
            {"verification_uri_complete": None, "interval": 5},
        ),
        (
            AuthorizationRequest,
            {"authorization_url": "u", "state": "s"},
            {"code_verifier": None, "polling": None, "registered_credentials": None},
        ),
        (
            Ref,
            {"name": "main", "kind": "default", "sha": "a"},
            {
                "is_default": False,
                "ahead": None,
                "behind": None,
                "pr_number": None,
                "pr_title": None,
                "pr_state": None,
            },
        ),
        (
            Commit,
            {"sha": "a", "short_sha": "a", "message": "m"},
            {
                "author": None,
                "authored_at": None,
                "url": None,
                "ci_status": "unknown",
                "pr_number": None,
                "is_head": False,
            },
        ),
        (
            CompareResult,
            {"base_sha": "a", "head_sha": "b", "ahead": 1, "behind": 0},
            {"commits": [], "files_changed": 0, "additions": 0, "deletions": 0, "pr_numbers": []},
        ),
        (
            DeploymentRun,
            {"run_id": "1"},
            {"run_url": None, "status": "queued", "started_at": None, "completed_at": None},
        ),
        (
            RemoteDeployment,
            {
                "environment": "production",
                "sha": "a",
                "status": "success",
                "created_at": NOW,
                "external_run_id": "1",
            },
            {
                "ref": None,
                "run_url": None,
                "deployment_url": None,
                "description": None,
                "creator": None,
                "creator_subject": None,
            },
        ),
        (WorkflowFile, {"id": "1", "path": "p", "name": "n"}, {"state": "active"}),
        (LifecycleResult, {"status": "ok"}, {"message": None, "artifacts": {}}),
        (
            IncidentView,
            {"id": "1", "title": "t", "status": "open", "created_at": NOW, "url": "u"},
            {"urgency": None, "resolved_at": None, "service": None},
        ),
        (IncidentResult, {}, {"incidents": [], "next_cursor": None, "total": None}),
        (
            AnalysisResultItem,
            {"slug": "s", "title": "t", "description": "d", "status": "warn"},
            {"remediation": None},
        ),
    ],
)
def test_a_model_has_the_published_fields_and_defaults(
    model: type[BaseModel], given: dict[str, Any], defaults: dict[str, Any]
) -> None:
    """What is given is all that is needed; nothing else is there."""
    assert model.model_validate(given).model_dump() == given | defaults
    for needed in given:
        with pytest.raises(ValidationError, match=needed):
            model.model_validate({name: given[name] for name in given if name != needed})


def test_a_log_entry_keeps_fields_of_its_source() -> None:
    """The only model that does."""
    entry = LogEntry.model_validate({"timestamp": NOW, "message": "m", "pod": "api-1"})
    assert entry.model_dump()["pod"] == "api-1"
