"""Manifests and contexts: the fields, defaults and checks Imbi's plugins rely on."""

import pytest
from pydantic import ValidationError

from imbi_sdk import (
    CredentialField,
    DataType,
    IdentityCredentials,
    PluginContext,
    PluginIndex,
    PluginManifest,
    PluginOption,
    PluginVertexLabel,
)


def test_a_manifest_needs_a_slug_a_name_and_a_type() -> None:
    """Everything else has the default of the published system."""
    manifest = PluginManifest(slug="tickets", name="Tickets", plugin_type="webhook")
    assert manifest.model_dump() == {
        "slug": "tickets",
        "name": "Tickets",
        "description": None,
        "plugin_type": "webhook",
        "auth_type": "api_token",
        "api_version": 1,
        "cacheable": True,
        "supports_histogram": False,
        "supports_deployment_sync": False,
        "supports_lifecycle_sync": False,
        "login_capable": False,
        "requires_identity": False,
        "default_scopes": [],
        "options": [],
        "credentials": [],
        "data_types": [],
        "vertex_labels": [],
        "edge_labels": [],
        "widget_text": None,
        "ops_log_templates": {},
        "lifecycle_events": ["archived", "unarchived"],
    }


@pytest.mark.parametrize(
    "plugin_type",
    [
        "configuration",
        "logs",
        "identity",
        "deployment",
        "lifecycle",
        "webhook",
        "analysis",
        "incidents",
        "connection",
    ],
)
def test_every_published_type_is_known(plugin_type: str) -> None:
    """A manifest of any release of the entry-point era can be read."""
    assert PluginManifest(slug="x", name="X", plugin_type=plugin_type).plugin_type == plugin_type


def test_an_unknown_type_is_refused() -> None:
    """A manifest with a type nobody knows fails at import."""
    with pytest.raises(ValidationError, match="plugin_type"):
        PluginManifest(slug="x", name="X", plugin_type="teapot")


def test_unknown_fields_are_ignored() -> None:
    """A manifest of a later release loads."""
    manifest = PluginManifest(slug="x", name="X", plugin_type="webhook", icon="cup")
    assert not hasattr(manifest, "icon")


def test_defaults_are_not_shared() -> None:
    """Changing one manifest's lists changes no other's."""
    PluginManifest(slug="a", name="A", plugin_type="webhook").default_scopes.append("repo")
    assert PluginManifest(slug="b", name="B", plugin_type="webhook").default_scopes == []


def test_a_credential_is_required_unless_it_says_otherwise() -> None:
    """Credentials and other declarations differ in this default."""
    assert CredentialField(name="token", label="Token").required is True
    assert PluginOption(name="host", label="Host").required is False
    assert DataType(name="text", label="Text").secret is False


@pytest.mark.parametrize("default", ["text", 7, True, False, None])
def test_an_option_keeps_the_type_of_its_default(default: object) -> None:
    """True stays a bool and 7 stays an int."""
    kept = PluginOption(name="host", label="Host", default=default).default
    assert kept is default or (kept == default and type(kept) is type(default))


def test_a_mapping_option_takes_a_dict_and_no_choices() -> None:
    """The three ways to get a mapping wrong are told apart."""
    assert PluginOption(name="m", label="M", type="mapping", default={"a": "b"}).default == {
        "a": "b"
    }
    assert PluginOption(name="m", label="M", type="mapping").default is None
    with pytest.raises(ValidationError, match="cannot have choices"):
        PluginOption(name="m", label="M", type="mapping", choices=["a"])
    with pytest.raises(ValidationError, match="must be a dict"):
        PluginOption(name="m", label="M", type="mapping", default="a")
    with pytest.raises(ValidationError, match="only for type 'mapping'"):
        PluginOption(name="m", label="M", default={"a": "b"})


@pytest.mark.parametrize("fields", [[], [""], ["name", "  "]])
def test_an_index_needs_fields_with_names(fields: list[str]) -> None:
    """An index on nothing is refused."""
    with pytest.raises(ValidationError):
        PluginIndex(fields=fields)


def test_a_vertex_label_needs_the_class_it_stands_for() -> None:
    """``model_ref`` has no default."""
    with pytest.raises(ValidationError, match="model_ref"):
        PluginVertexLabel(name="AwsAccount")


def test_a_context_needs_only_its_project() -> None:
    """Every later field has a default, so that older hosts' contexts are valid."""
    context = PluginContext(project_id="1", project_slug="api", org_slug="acme")
    filled = {
        name: value
        for name, value in context.model_dump().items()
        if value not in (None, {}, []) and name not in {"project_id", "project_slug", "org_slug"}
    }
    assert filled == {}


async def test_the_resolver_never_leaves_the_process() -> None:
    """It is in no dump and no repr, and has to be given again."""

    async def resolve(subject: str) -> str | None:
        return f"{subject}@example.com"

    context = PluginContext(
        project_id="1", project_slug="api", org_slug="acme", resolve_user_by_identity=resolve
    )
    assert context.resolve_user_by_identity is not None
    assert await context.resolve_user_by_identity("ada") == "ada@example.com"
    assert "resolve_user_by_identity" not in context.model_dump_json()
    assert "resolve" not in repr(context)


def test_a_users_tokens_show_in_no_text(canary: str) -> None:
    """Neither alone nor inside a context."""
    tokens = IdentityCredentials(access_token=canary, refresh_token=canary)
    context = PluginContext(project_id="1", project_slug="api", org_slug="acme", identity=tokens)
    assert repr(tokens) == str(tokens) == "<IdentityCredentials redacted>"
    assert canary not in f"{context!r} {context} {[tokens]}"
