"""The plugin contract, sections 1.6 to 1.9: what the variations ask of an author.

One entry for each fact of the document; sections and words are its own.
"""

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from contract_fact import Fact, holds, table

from imbi_sdk import (
    AnalysisPlugin,
    ConfigurationPlugin,
    ConnectionPlugin,
    DeploymentPlugin,
    IdentityCredentials,
    IdentityPlugin,
    IncidentsPlugin,
    LifecyclePlugin,
    LogQuery,
    LogsPlugin,
    PluginContext,
    PluginManifest,
    PluginRemediationNotSupported,
)

BASES: dict[type, tuple[str, str, str]] = {
    ConfigurationPlugin: ("1.6", "list_keys get_values set_value delete_key", ""),
    LogsPlugin: ("1.6", "search schema", "histogram"),
    IdentityPlugin: ("1.7", "authorization_request exchange_code refresh", "revoke materialize"),
    DeploymentPlugin: (
        "1.8",
        """list_refs list_commits resolve_committish compare trigger_deployment
        get_deployment_status""",
        "get_check_status create_tag create_release list_workflows list_recent_deployments",
    ),
    LifecyclePlugin: (
        "1.9",
        "on_project_archived",
        """on_project_unarchived on_project_created on_project_updated on_project_deleted
        on_project_relocated resolve_relocation_target""",
    ),
    AnalysisPlugin: ("0.1", "analyze", "remediate"),
    IncidentsPlugin: ("0.1", "list_incidents", ""),
    ConnectionPlugin: ("0.1", "", ""),
}
# What follows ``self, ctx, credentials``; a default stands after "=".
SIGNATURES = {
    (ConfigurationPlugin, "list_keys"): "",
    (ConfigurationPlugin, "get_values"): "keys=None",
    (ConfigurationPlugin, "set_value"): "key value",
    (ConfigurationPlugin, "delete_key"): "key",
    (LogsPlugin, "search"): "query",
    (LogsPlugin, "schema"): "",
    (LogsPlugin, "histogram"): "query bucket_count=60",
    (IdentityPlugin, "authorization_request"): "redirect_uri scopes=None",
    (IdentityPlugin, "exchange_code"): "code redirect_uri code_verifier=None",
    (IdentityPlugin, "refresh"): "refresh_token",
    (IdentityPlugin, "revoke"): "token",
    (IdentityPlugin, "materialize"): "connection *db=None *identity_options=None",
    (DeploymentPlugin, "list_refs"): "kind='all' query=None",
    (DeploymentPlugin, "list_commits"): "ref limit=25",
    (DeploymentPlugin, "resolve_committish"): "committish",
    (DeploymentPlugin, "compare"): "base head",
    (DeploymentPlugin, "trigger_deployment"): "ref_or_sha inputs=None",
    (DeploymentPlugin, "get_deployment_status"): "run_id",
    (LifecyclePlugin, "on_project_archived"): "",
}


def signature(cls: type, method: str) -> str:
    """As the table above writes it."""
    _, ctx, credentials, *rest = inspect.signature(getattr(cls, method)).parameters.values()
    assert (ctx.name, credentials.name) == ("ctx", "credentials")
    return " ".join(
        ("*" if one.kind is one.KEYWORD_ONLY else "")
        + one.name
        + ("" if one.default is one.empty else f"={one.default!r}")
        for one in rest
    )


def variations() -> Iterator[Fact]:
    for cls, (section, abstract, optional) in BASES.items():
        yield Fact(
            section,
            f"{cls.__name__} must be given {' '.join(abstract.split()) or 'no method'}",
            lambda c=cls, a=abstract: (
                getattr(c, "__abstractmethods__", frozenset()) == set(a.split())
            ),
        )
        for method in (abstract + " " + optional).split():
            yield Fact(
                section,
                f"{cls.__name__}.{method} is a coroutine function",
                lambda c=cls, m=method: inspect.iscoroutinefunction(getattr(c, m)),
            )
    for (cls, method), wanted in SIGNATURES.items():
        yield Fact(
            BASES[cls][0],
            f"{cls.__name__}.{method} takes ctx, credentials, {wanted or 'nothing more'}",
            lambda c=cls, m=method, w=wanted: signature(c, m) == w,
        )
    yield from defaults()


def made(base: Any) -> Any:
    filled = dict.fromkeys(base.__abstractmethods__, lambda *_: None)
    declared = PluginManifest(slug="s", name="S", plugin_type="webhook")
    return type("Made", (base,), filled | {"manifest": declared})()


def defaults() -> Iterator[Fact]:
    """What the optional methods do when nobody wrote them."""
    ctx = PluginContext(project_id="1", project_slug="p", org_slug="o")
    tokens = IdentityCredentials(access_token="canary-4f1d-do-not-leak")
    now = datetime.now(UTC)
    query = LogQuery(start_time=now, end_time=now)
    harmless: list[tuple[type, str, tuple[Any, ...], Any]] = [
        (LogsPlugin, "histogram", (query,), []),
        (IdentityPlugin, "revoke", ("token",), None),
        (IdentityPlugin, "materialize", (tokens,), tokens),
        (DeploymentPlugin, "get_check_status", ("main",), "unknown"),
        (LifecyclePlugin, "resolve_relocation_target", (), None),
    ]
    for cls, method, arguments, answer in harmless:

        async def answers(
            c: Any = cls, m: str = method, a: Any = arguments, w: Any = answer
        ) -> bool:
            return bool(await getattr(made(c), m)(ctx, {}, *a) == w)

        said = "the connection unchanged" if answer is tokens else repr(answer)
        yield Fact(BASES[cls][0], f"{cls.__name__}.{method} gives {said}", answers)
    refused: list[tuple[type, str, tuple[Any, ...]]] = [
        (DeploymentPlugin, "create_tag", ("sha", "tag", "text")),
        (DeploymentPlugin, "create_release", ("tag", "name", "body")),
        (DeploymentPlugin, "list_workflows", ()),
        (DeploymentPlugin, "list_recent_deployments", (["production"],)),
        *(
            (LifecyclePlugin, f"on_project_{event}", ())
            for event in ("unarchived", "created", "updated", "deleted", "relocated")
        ),
    ]
    for cls, method, arguments in refused:

        async def raises(c: Any = cls, m: str = method, a: Any = arguments) -> bool:
            with pytest.raises(NotImplementedError):
                await getattr(made(c), m)(ctx, {}, *a)
            return True

        yield Fact(BASES[cls][0], f"{cls.__name__}.{method} raises NotImplementedError", raises)

    async def remedies() -> bool:
        with pytest.raises(PluginRemediationNotSupported) as raised:
            await made(AnalysisPlugin).remediate(ctx, {}, "fix-1")
        return (raised.value.plugin_slug, raised.value.remediation_id) == ("s", "fix-1")

    yield Fact("1.12", "AnalysisPlugin.remediate raises PluginRemediationNotSupported", remedies)


@pytest.mark.parametrize("fact", table(variations()))
async def test_the_contract_holds(fact: Fact) -> None:
    """Each line of the document, by its section."""
    assert await holds(fact)
