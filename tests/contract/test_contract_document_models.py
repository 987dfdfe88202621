"""The plugin contract, sections 1 to 1.5: manifest, small models, context, event.

One entry for each fact of the document; sections and words are its own.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from contract_fact import Fact, holds, model, refuses, refuses_with, table
from pydantic import BaseModel

import imbi_sdk
from imbi_sdk import (
    ConfigKey,
    ConfigKeyWithValue,
    ConfigValue,
    CredentialField,
    DataType,
    IdentityCredentials,
    LinkWriteback,
    LogEntry,
    LogFilter,
    LogHistogramBucket,
    LogQuery,
    LogResult,
    OpsLogTemplate,
    PluginContext,
    PluginEdgeLabel,
    PluginIndex,
    PluginManifest,
    PluginOption,
    PluginVertexLabel,
    ServiceConnection,
    ServicePlugin,
    ServiceWriteback,
)
from imbi_sdk.event import REDACTED_HEADERS, event_context

Text = str | None
PLAIN_MODELS = [
    found
    for name in imbi_sdk.__all__
    if inspect.isclass(found := getattr(imbi_sdk, name))
    and issubclass(found, BaseModel)
    and found.__name__ not in {"LogEntry", "ActionDescriptor"}
]
LATER_NAMES = """
    AnalysisPlugin AnalysisResultItem AnalysisResultStatus CheckStatus Commit CompareResult
    DeploymentEventStatus DeploymentPlugin DeploymentRun IdentityAuthorizationExpired
    IdentityAuthorizationPending IncidentResult IncidentView IncidentsPlugin LifecyclePlugin
    LifecycleResult LinkWriteback PluginAuthenticationFailed PluginRateLimited PluginType Ref
    RefInfo ReleaseInfo RelocationTarget RemoteDeployment ServiceConnection ServicePlugin
    ServiceWriteback WorkflowFile
"""


def packaging() -> Iterator[Fact]:
    for name in LATER_NAMES.split():
        yield Fact(
            "1", f"the root exports {name}, as 2.11.5 does", lambda n=name: n in imbi_sdk.__all__
        )
    for name in ("Plugin", "Capability", "WebhookActionsCapability", "ToolDescriptor"):
        yield Fact(
            "1.14", f"{name} is of the next architecture", lambda n=name: not hasattr(imbi_sdk, n)
        )
    for cls in PLAIN_MODELS:
        yield Fact(
            "1",
            f"{cls.__name__} ignores extra fields and can be changed",
            lambda c=cls: (
                not c.model_config.get("frozen")
                and c.model_config.get("extra", "ignore") == "ignore"
            ),
        )


def manifest() -> Iterator[Fact]:
    kinds = Literal[
        "configuration",
        "logs",
        "identity",
        "deployment",
        "lifecycle",
        "webhook",
        "analysis",
        "incidents",
        "connection",
    ]
    events = Literal["created", "updated", "archived", "unarchived", "deleted", "relocated"]
    yield from model(
        "1.1",
        PluginManifest,
        {
            "slug": str,
            "name": str,
            "description": (Text, None),
            "plugin_type": kinds,
            "auth_type": (Literal["api_token", "oauth2", "oidc", "aws-iam-ic"], "api_token"),
            "api_version": (int, 1),
            "cacheable": (bool, True),
            "supports_histogram": (bool, False),
            "supports_deployment_sync": (bool, False),
            "supports_lifecycle_sync": (bool, False),
            "login_capable": (bool, False),
            "requires_identity": (bool, False),
            "default_scopes": (list[str], []),
            "options": (list[PluginOption], []),
            "credentials": (list[CredentialField], []),
            "data_types": (list[DataType], []),
            "vertex_labels": (list[PluginVertexLabel], []),
            "edge_labels": (list[PluginEdgeLabel], []),
            "widget_text": (Text, None),
            "ops_log_templates": (dict[str, OpsLogTemplate], {}),
            "lifecycle_events": (list[events], ["archived", "unarchived"]),
        },
    )
    needed = {"name": "N", "plugin_type": "webhook"}
    yield Fact(
        "1.1",
        "the model puts no pattern on the slug",
        lambda: PluginManifest(slug="Any Thing!", **needed).slug == "Any Thing!",
    )
    yield Fact(
        "1.1",
        "a default list is nobody else's",
        lambda: (
            PluginManifest(slug="a", **needed).options
            is not PluginManifest(slug="b", **needed).options
        ),
    )
    yield Fact(
        "1.1",
        "the fallback of ops_log_templates has the key ''",
        lambda: (
            ""
            in PluginManifest(
                slug="a", **needed, ops_log_templates={"": {"label": "Any"}}
            ).ops_log_templates
        ),
    )
    for name in ("third_party_service", "icon"):
        yield Fact(
            "1.1",
            f"a manifest never had {name}",
            lambda n=name: n not in PluginManifest.model_fields,
        )
    yield Fact(
        "1.1",
        "auth_type 'none' is of the next architecture",
        lambda: refuses_with(
            "literal_error", lambda: PluginManifest(slug="a", auth_type="none", **needed)
        ),
    )


def small_models() -> Iterator[Fact]:
    yield from model(
        "1.2",
        PluginOption,
        {
            "name": str,
            "label": str,
            "description": (Text, None),
            "type": (Literal["string", "integer", "boolean", "secret", "mapping"], "string"),
            "required": (bool, False),
            "default": (str | int | bool | dict[str, str] | None, None),
            "choices": (list[str] | None, None),
        },
    )
    option: dict[str, Any] = {"name": "n", "label": "l"}
    yield Fact(
        "1.2",
        "a mapping forbids choices",
        lambda: refuses(
            "cannot have choices", lambda: PluginOption(**option, type="mapping", choices=["a"])
        ),
    )
    yield Fact(
        "1.2",
        "a mapping's default is a dict",
        lambda: refuses(
            "must be a dict", lambda: PluginOption(**option, type="mapping", default=1)
        ),
    )
    yield Fact(
        "1.2",
        "a mapping may have no default, or a dict",
        lambda: (
            [
                PluginOption(**option, type="mapping", default=given).default
                for given in (None, {"a": "b"})
            ]
            == [None, {"a": "b"}]
        ),
    )
    yield Fact(
        "1.2",
        "a dict default is for mappings alone",
        lambda: refuses("only for type 'mapping'", lambda: PluginOption(**option, default={})),
    )
    yield from model(
        "1.2",
        CredentialField,
        {"name": str, "label": str, "description": (Text, None), "required": (bool, True)},
    )
    yield from model("1.2", DataType, {"name": str, "label": str, "secret": (bool, False)})
    yield from model("1.2", PluginIndex, {"fields": list[str], "unique": (bool, False)})
    yield Fact(
        "1.2",
        "an index has a field",
        lambda: refuses("fields", lambda: PluginIndex(fields=[])),
    )
    yield Fact(
        "1.2",
        "no field of an index is blank",
        lambda: refuses("must not be blank", lambda: PluginIndex(fields=["a", " "])),
    )
    yield from model(
        "1.2",
        PluginVertexLabel,
        {
            "name": str,
            "indexes": (list[PluginIndex], []),
            "model_ref": str,
            "display_name": (Text, None),
            "description": (Text, None),
            "nav_label": (Text, None),
        },
    )
    yield from model(
        "1.2",
        PluginEdgeLabel,
        {
            "name": str,
            "from_labels": list[str],
            "to_labels": list[str],
            "properties": (dict[str, str], {}),
        },
    )
    yield from model("1.2", OpsLogTemplate, {"label": str, "summary": (Text, None)})
    yield from model("1.2", ConfigValue, {"data_type": str, "value": str, "secret": (bool, False)})
    key = {
        "key": str,
        "data_type": str,
        "last_modified": (datetime | None, None),
        "secret": (bool, False),
    }
    yield from model("1.2", ConfigKey, key)
    yield from model("1.2", ConfigKeyWithValue, key | {"value": str})
    yield Fact(
        "1.2",
        "ConfigKeyWithValue is a ConfigKey",
        lambda: issubclass(ConfigKeyWithValue, ConfigKey),
    )
    operators = Literal["eq", "ne", "contains", "starts_with", "regex"]
    yield from model("1.2", LogFilter, {"field": str, "op": operators, "value": str})
    yield from model(
        "1.2",
        LogQuery,
        {
            "start_time": datetime,
            "end_time": datetime,
            "filters": (list[LogFilter], []),
            "limit": (int, 100),
            "cursor": (Text, None),
            "levels": (list[str], []),
        },
    )
    yield from model(
        "1.2",
        LogEntry,
        {
            "timestamp": datetime,
            "message": str,
            "level": (Text, None),
            "raw": (dict[str, Any], {}),
        },
    )
    yield Fact(
        "1.2",
        "LogEntry keeps extra fields",
        lambda: (
            LogEntry(timestamp=datetime.now(UTC), message="m", host="h").model_dump()["host"]  # type: ignore[call-arg]  # the point
            == "h"
        ),
    )
    yield from model(
        "1.2",
        LogHistogramBucket,
        {"timestamp": datetime, "count": int, "levels": (dict[str, int], {})},
    )
    yield from model(
        "1.2",
        LogResult,
        {
            "entries": list[LogEntry],
            "next_cursor": (Text, None),
            "total": (int | None, None),
            "warnings": (list[str], []),
        },
    )
    yield from model("1.2", ServicePlugin, {"slug": str, "options": (dict[str, Any], {})})
    yield from model(
        "1.2",
        ServiceConnection,
        {"service_slug": str, "identifier": str, "canonical_url": (Text, None)},
    )
    yield from model(
        "1.2",
        ServiceWriteback,
        {
            "identifier": str,
            "canonical_url": str,
            "dashboard_links": (dict[str, str], {}),
            "webhook_secret_enc": (Text, None),
            "remove": (bool, False),
        },
    )
    yield from model(
        "1.2",
        LinkWriteback,
        {
            "link_key": str,
            "new_url": str,
            "old_owner_repo": (Text, None),
            "new_owner_repo": (Text, None),
        },
    )


def context() -> Iterator[Fact]:
    resolver = Callable[[str], Awaitable[str | None]] | None
    yield from model(
        "1.3",
        PluginContext,
        {
            "project_id": str,
            "project_slug": str,
            "org_slug": str,
            "team_slug": (Text, None),
            "environment": (Text, None),
            "assignment_options": (dict[str, Any], {}),
            "project_links": (dict[str, str], {}),
            "project_type_slugs": (list[str], []),
            "environment_config": (dict[str, Any], {}),
            "actor_user_id": (Text, None),
            "identity": (IdentityCredentials | None, None),
            "link_writeback": (LinkWriteback | None, None),
            "previous_project_slug": (Text, None),
            "project_name": (Text, None),
            "project_description": (Text, None),
            "project_ui_url": (Text, None),
            "previous_project_type_slugs": (list[str], []),
            "service_plugins": (list[ServicePlugin], []),
            "service_writeback": (ServiceWriteback | None, None),
            "third_party_service_slug": (Text, None),
            "service_connections": (list[ServiceConnection], []),
            "resolve_user_by_identity": (resolver, None),
            "previous_team_slug": (Text, None),
        },
    )

    async def resolve(subject: str) -> str | None:
        return subject

    def resolving() -> PluginContext:
        return PluginContext(
            project_id="1", project_slug="p", org_slug="o", resolve_user_by_identity=resolve
        )

    yield Fact(
        "1.3",
        "the resolver never survives serialization",
        lambda: (
            "resolve_user_by_identity" not in resolving().model_dump()
            and "resolve" not in resolving().model_dump_json()
        ),
    )
    yield Fact(
        "1.3", "the resolver shows in no repr", lambda: "resolve_user" not in repr(resolving())
    )


def event() -> Iterator[Fact]:
    names = """authorization cookie set-cookie proxy-authorization x-hub-signature
        x-hub-signature-256 x-gitlab-token x-pagerduty-signature x-sonar-webhook-hmac-sha256"""

    def built(payload: Any = None, **headers: str) -> dict[str, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return event_context(
            event_type="push", service="s", webhook_id="w", headers=sent, payload=payload
        )

    yield Fact(
        "1.5",
        "the event context has these keys",
        lambda: (
            built({"a": 1}, Host="h")
            == {
                "type": "push",
                "third_party_service": "s",
                "attributed_to": "",
                "metadata": {"webhook_id": "w", "headers": {"host": "h"}},
                "payload": {"a": 1},
            }
        ),
    )
    for body in ([1], "text", 7, None):
        yield Fact(
            "1.5",
            f"a body that is no object ({body!r}) gives an empty payload",
            lambda b=body: built(b)["payload"] == {},
        )
    for name in names.split():
        yield Fact(
            "1.5",
            f"the header {name} is redacted",
            lambda n=name: (
                built(**{n.upper(): "canary"})["metadata"]["headers"] == {n: "[redacted]"}
            ),
        )
    yield Fact("1.5", "nine headers are redacted", lambda: set(names.split()) == REDACTED_HEADERS)
    yield Fact(
        "1.5",
        "x-github-delivery is not redacted",
        lambda: built(X_GitHub_Delivery="g")["metadata"]["headers"] == {"x-github-delivery": "g"},
    )


SECTIONS = (
    packaging,
    manifest,
    small_models,
    context,
    event,
)


@pytest.mark.parametrize("fact", table(fact for section in SECTIONS for fact in section()))
async def test_the_contract_holds(fact: Fact) -> None:
    """Each line of the document, by its section."""
    assert await holds(fact)
