"""The plugin contract, sections 1.4 and 1.10 to 1.13: descriptors, registry, schemas, templates.

One entry for each fact of the document; sections and words are its own.
"""

import inspect
import logging
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from contract_fact import Fact, holds, refuses, refuses_with, table
from pydantic import BaseModel, RootModel

from imbi_sdk import (
    ActionDescriptor,
    LoadResult,
    PluginEdgeLabel,
    PluginIndex,
    PluginManifest,
    PluginNotFoundError,
    PluginSchemaCollisionError,
    PluginVertexLabel,
    RegistryEntry,
    WebhookActionPlugin,
    errors,
    expand_template,
    get_plugin,
    list_plugins,
    load_plugins,
    registry,
    reload_plugins,
    validate_no_collisions,
    validate_template,
)
from imbi_sdk.actions import UnfitCallable, callable_kind

HERE = __name__


class Config(BaseModel):
    """A config without fields."""


class ListConfig(RootModel[list[str]]):
    """A config that is a list."""


async def act(*, ctx, credentials, external_identifier, action_config, event) -> None:
    """Do nothing."""


async def act_on_payload(*, ctx, credentials, external_identifier, action_config, payload) -> None:
    """Do nothing, in the way of before 2.10."""


def sync(*, ctx, credentials, external_identifier, action_config, event) -> None:
    """Do nothing, without async."""


def descriptor(**fields: Any) -> ActionDescriptor:
    return ActionDescriptor(
        **{"name": "act", "label": "Act", "callable": act, "config_model": Config} | fields
    )


def descriptors() -> Iterator[Fact]:
    for name in ("A", "a-b", "_a", "", "a\n"):
        yield Fact(
            "1.4",
            f"a descriptor's name is not {name!r}",
            lambda n=name: refuses("name", lambda: descriptor(name=n)),
        )
    for name in ("a", "a1_b"):
        yield Fact(
            "1.4",
            f"a descriptor's name may be {name!r}",
            lambda n=name: descriptor(name=n).name == n,
        )
    yield Fact(
        "1.4", "the label is not empty", lambda: refuses("label", lambda: descriptor(label=""))
    )
    yield Fact("1.4", "the description is optional", lambda: descriptor().description is None)
    for path in (f"{HERE}:act", f"{HERE}.act", act):
        said = path if isinstance(path, str) else "the object itself"
        yield Fact(
            "1.4",
            f"the callable may be {said.replace(HERE, 'mod')}",
            lambda p=path: descriptor(callable=p).callable is act,
        )
    yield Fact(
        "1.4",
        "the config model may be a path",
        lambda: descriptor(config_model=f"{HERE}:Config").config_model is Config,
    )
    yield Fact(
        "1.4",
        "what cannot be called is no callable",
        lambda: refuses_with("callable_type", lambda: descriptor(callable=7)),
    )
    yield Fact(
        "1.4", "a sync function is accepted", lambda: descriptor(callable=sync).callable is sync
    )
    for wrong in (dict, Config()):
        yield Fact(
            "1.4",
            f"{type(wrong).__name__} {wrong!r} is no config model",
            lambda w=wrong: refuses_with("is_subclass_of", lambda: descriptor(config_model=w)),
        )
    yield Fact(
        "1.4",
        "a RootModel is a config model",
        lambda: descriptor(config_model=ListConfig).config_model is ListConfig,
    )
    yield Fact(
        "1.4",
        "a wrong path fails when the descriptor is made",
        lambda: refuses_with("import_error", lambda: descriptor(callable="no_module_4f1d:x")),
    )
    yield Fact(
        "1.4",
        "a dump as JSON gives paths back",
        lambda: descriptor().model_dump(mode="json")["callable"] == f"{HERE}.act",
    )
    yield Fact(
        "1.4",
        "what the worker adds is optional",
        lambda: (
            [name for name, field in ActionDescriptor.model_fields.items() if field.is_required()]
            == ["name", "label", "callable", "config_model"]
        ),
    )
    for function, kind in ((act, "event"), (act_on_payload, "payload")):
        yield Fact(
            "1.4",
            f"a callable may take {kind}",
            lambda f=function, k=kind: callable_kind(descriptor(callable=f)) == k,
        )
    yield Fact(
        "1.4",
        "a sync function is found unfit before it is called",
        lambda: isinstance(callable_kind(descriptor(callable=sync)), UnfitCallable),
    )
    yield Fact(
        "1.4",
        "a webhook plugin without actions() cannot be made",
        lambda: refuses("abstract", type("P", (WebhookActionPlugin,), {}), TypeError),
    )
    yield Fact(
        "1.4",
        "actions is an abstract classmethod",
        lambda: (
            isinstance(inspect.getattr_static(WebhookActionPlugin, "actions"), classmethod)
            and WebhookActionPlugin.__abstractmethods__ == {"actions"}
        ),
    )


def plugin(slug: str = "p", **fields: Any) -> type:
    """A plugin class; *actions* is what its catalogue gives, or a function that gives it."""
    given = fields.pop("actions", [descriptor()])
    declared = PluginManifest(**{"slug": slug, "name": slug, "plugin_type": "webhook"} | fields)
    listed = classmethod(lambda _: given() if callable(given) else given)
    return type("P", (WebhookActionPlugin,), {"manifest": declared, "actions": listed})


def explode() -> None:
    raise RuntimeError("boom")


def vertex(name: str = "Account", **fields: Any) -> PluginVertexLabel:
    return PluginVertexLabel(**{"name": name, "model_ref": "mod:Class"} | fields)


class Installation:
    """The entry points of a test: what each loads, by name."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._points: list[Any] = []
        patch.setattr(metadata, "entry_points", self._select)
        self.groups: list[str] = []

    def _select(self, *, group: str) -> list[Any]:
        self.groups.append(group)
        return self._points

    def load(self, **found: Any) -> LoadResult:
        self._points = [Point(name.replace("_", "-"), what) for name, what in found.items()]
        return load_plugins()

    def errors(self, **found: Any) -> dict[str, str]:
        return self.load(**found).errors


class Point:
    dist = None
    value = "module_4f1d:Plugin"

    def __init__(self, name: str, found: Any) -> None:
        self.name, self._found = name, found

    def load(self) -> Any:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


Check = Callable[[Installation], Any]
NO_FAMILY = (
    "Plugin must subclass ConfigurationPlugin, LogsPlugin, IdentityPlugin, DeploymentPlugin, "
    "LifecyclePlugin, or WebhookActionPlugin"
)
WITHOUT_MANIFEST = type("P", (WebhookActionPlugin,), {})
OUTSIDER = type("P", (), {"manifest": plugin(api_version=9).manifest})  # type: ignore[attr-defined]  # made above


def refusals() -> Iterator[Fact]:
    """The checks in their order: each plugin fails its own check and, if it can, later ones."""
    rows: list[tuple[str, Any, str]] = [
        ("(1) an import that raises", ImportError("gone"), "gone"),
        ("(2) no manifest", WITHOUT_MANIFEST, "Missing or invalid manifest attribute"),
        (
            "(2) a manifest of another class",
            type("P", (WebhookActionPlugin,), {"manifest": {"slug": "p"}}),
            "Missing or invalid manifest attribute",
        ),
        ("(3) a class outside the family", OUTSIDER, NO_FAMILY),
        (
            "(4) a class of another type, before its version",
            plugin(plugin_type="logs", api_version=9),
            "Class does not implement LogsPlugin for plugin_type='logs'",
        ),
        ("(6) actions() that raises", plugin(actions=explode), "actions() raised: boom"),
        (
            "(6) actions() that gives no list",
            plugin(actions=(descriptor(),)),
            "actions() must return list[ActionDescriptor]",
        ),
        (
            "(6) actions() that lists something else",
            plugin(actions=[descriptor(), "act"]),
            "actions() must return list[ActionDescriptor]",
        ),
        (
            "(6) an action name twice",
            plugin(actions=[descriptor(name=name) for name in "baab"]),
            "Duplicate action names within plugin: ['a', 'b']",
        ),
    ]
    for title, found, message in rows:
        yield Fact(
            "1.10",
            f"{title} is an error",
            lambda at, f=found, m=message: at.errors(one=f) == {"one": m},
        )


def instance_is_no_class(at: Installation) -> bool:
    return at.errors(one=plugin()()) == {"one": NO_FAMILY}


def wrong_path_in_catalogue(at: Installation) -> bool:
    def listed() -> list[ActionDescriptor]:
        return [descriptor(callable="no_module_4f1d:x")]

    (text,) = at.errors(one=plugin(actions=listed)).values()
    return text.startswith("actions() raised: ") and "no_module_4f1d" in text


def version_is_skipped(at: Installation) -> bool:
    found = at.load(one=plugin(api_version=2, actions=explode))
    return found == LoadResult(loaded=[], errors={}, skipped=["one"])


def inert(at: Installation) -> bool:
    return at.load(one=plugin(actions=[])).loaded == ["p"]


def second_slug_loses(at: Installation) -> bool:
    first = plugin("s")
    found = at.load(a=first, b=plugin("s"))
    return (
        found.errors == {"b": "Duplicate plugin slug: s"} and get_plugin("s").handler_cls is first
    )


def collision_leaves_the_old(at: Installation) -> bool:
    at.load(a=plugin("old"))
    refuses(
        "'Project'",
        lambda: at.load(a=plugin("new", vertex_labels=[vertex("Project")])),
        PluginSchemaCollisionError,
    )
    return [entry.manifest.slug for entry in list_plugins()] == ["old"]


def load_replaces(at: Installation) -> bool:
    at.load(a=plugin("old"))
    at.load(a=plugin("new"))
    return [entry.manifest.slug for entry in list_plugins()] == ["new"]


def reload_reads_again(at: Installation) -> bool:
    at.load(a=plugin("one"))
    return reload_plugins() == LoadResult(["one"], {}, []) and at.groups == ["imbi.plugins"] * 2


def unknown_slug(at: Installation) -> bool:
    at.load()
    return refuses("'nobody'", lambda: get_plugin("nobody"), PluginNotFoundError)


def entry_is_named_by_slug(at: Installation) -> bool:
    return at.load(any_name=plugin("slug")).loaded == ["slug"]


def error_is_named_by_entry_point(at: Installation) -> bool:
    return list(at.load(any_name=plugin("slug", actions=explode)).errors) == ["any-name"]


def logs(level: int, text: str, load: Check) -> Callable[[Installation, Any], bool]:
    def check(at: Installation, caplog: pytest.LogCaptureFixture) -> bool:
        caplog.set_level(logging.INFO)
        load(at)
        return any(
            record.levelno == level
            and record.name == "imbi_common.plugins.registry"
            and text in record.getMessage()
            for record in caplog.records
        )

    return check


def registry_rules() -> Iterator[Fact]:
    yield from refusals()
    for text, check in {
        "(3) an instance is no class": instance_is_no_class,
        "(6) a wrong path in a descriptor is an error of actions()": wrong_path_in_catalogue,
        "(5) another api_version is skipped, before actions() is called": version_is_skipped,
        "(6) an empty catalogue loads": inert,
        "(7) the second plugin of a slug is an error": second_slug_loses,
        "(8) a collision is raised, and the old registry stays": collision_leaves_the_old,
        "(9) a load replaces what was there": load_replaces,
        "reload_plugins() reads the entry points of imbi.plugins again": reload_reads_again,
        "get_plugin() raises PluginNotFoundError": unknown_slug,
        "a loaded plugin is known by its slug": entry_is_named_by_slug,
        "a failed one is known by its entry point": error_is_named_by_entry_point,
    }.items():
        yield Fact("1.10", text, check)
    yield Fact(
        "1.10",
        "RegistryEntry has four frozen fields",
        lambda _: (
            list(RegistryEntry.__dataclass_fields__)
            == ["handler_cls", "manifest", "package_name", "package_version"]
            and RegistryEntry.__dataclass_params__.frozen
        ),  # type: ignore[attr-defined]  # of dataclasses
    )
    yield Fact(
        "1.10",
        "LoadResult is a tuple of loaded, errors, skipped",
        lambda _: LoadResult._fields == ("loaded", "errors", "skipped"),
    )
    yield Fact(
        "1.10",
        "the registry is a dict under a lock in its module",
        lambda _: type(registry._registry) is dict and hasattr(registry._lock, "acquire"),
    )


LOGGED = [
    Fact("1.10", "a loaded plugin is logged", logs(logging.INFO, "slug='p'", inert)),
    Fact("1.10", "an empty catalogue is a warning", logs(logging.WARNING, "inert", inert)),
    Fact("1.10", "a skipped plugin is a warning", logs(logging.WARNING, "=2", version_is_skipped)),
    Fact("1.10", "a refused plugin is an error", logs(logging.ERROR, "'b'", second_slug_loses)),
]


def declaring(slug: str, **labels: Any) -> PluginManifest:
    return PluginManifest(slug=slug, name=slug, plugin_type="identity", **labels)


CORE = """APIKey Blueprint ClientCredential Conversation DocumentTemplate Environment
    IdentityConnection LinkDefinition Message OAuthIdentity Organization Permission Plugin
    PluginRegistration Project ProjectType Release Role ScoringPolicy ServiceAccount
    ServiceApplication Session TOTPSecret Team ThirdPartyService TokenMetadata Upload User Webhook
    WebhookImplementation WebhookRule OAuthClient Component MCPServer CommentThread"""


def schema_rules() -> Iterator[Fact]:
    def collides(*manifests: PluginManifest, **given: Any) -> bool:
        return refuses(
            "label", lambda: validate_no_collisions(manifests, **given), PluginSchemaCollisionError
        )

    def passes(*manifests: PluginManifest, **given: Any) -> bool:
        validate_no_collisions(manifests, **given)
        return True

    edge = {"name": "MAPS_TO", "from_labels": ["Environment"], "to_labels": ["AwsAccount"]}
    account = vertex(
        "AwsAccount",
        indexes=[PluginIndex(fields=["account_id"], unique=True), PluginIndex(fields=["name"])],
    )
    aws = declaring(
        "aws-iam-ic",
        auth_type="aws-iam-ic",
        vertex_labels=[account],
        edge_labels=[PluginEdgeLabel(**edge, properties={"tags": "dict[str, str]"})],
    )
    for name in CORE.split():
        yield Fact(
            "1.11",
            f"{name} is a vertex label of Imbi's own",
            lambda n=name: collides(declaring("a", vertex_labels=[vertex(n)])),
        )
    for text, check in {
        "two plugins may declare one vertex label alike": lambda: passes(
            declaring("a", vertex_labels=[vertex()]), declaring("b", vertex_labels=[vertex()])
        ),
        "two plugins may not declare one vertex label differently": lambda: collides(
            declaring("a", vertex_labels=[vertex()]),
            declaring("b", vertex_labels=[vertex(nav_label="Accounts")]),
        ),
        "two plugins may declare one edge label alike": lambda: passes(
            *(declaring(slug, edge_labels=[PluginEdgeLabel(**edge)]) for slug in "ab")
        ),
        "two plugins may not declare one edge label differently": lambda: collides(
            declaring("a", edge_labels=[PluginEdgeLabel(**edge)]),
            declaring("b", edge_labels=[PluginEdgeLabel(**edge | {"to_labels": ["Other"]})]),
        ),
        "edge labels are not checked against Imbi's own": lambda: passes(
            declaring("a", edge_labels=[PluginEdgeLabel(**edge | {"name": "Project"})])
        ),
        "what the AWS plugin declares is accepted": lambda: passes(aws, aws),
    }.items():
        yield Fact("1.11", text, check)


def own_core_labels(tmp_path: Path) -> bool:
    path = tmp_path / "schemata.toml"
    path.write_text('[vlabels]\nname = ["Mine"]\n')
    validate_no_collisions([declaring("a", vertex_labels=[vertex("Project")])], path)
    return refuses(
        "'Mine'",
        lambda: validate_no_collisions([declaring("a", vertex_labels=[vertex("Mine")])], path),
        PluginSchemaCollisionError,
    )


def error_rules() -> Iterator[Fact]:
    for name in [
        "PluginUnavailableError",
        "PluginCredentialsMissing",
        "PluginTimeoutError",
        "CursorExpiredError",
        "PluginAuthenticationFailed",
        "PluginSchemaCollisionError",
        "IdentityAuthorizationPending",
        "IdentityAuthorizationExpired",
    ]:
        yield Fact(
            "1.12",
            f"{name} is an Exception made of a message",
            lambda n=name: (
                str(getattr(errors, n)("text")) == "text"
                and getattr(errors, n).__base__ is Exception
            ),
        )
    limited = errors.PluginRateLimited
    for text, check in {
        "PluginNotFoundError is made of the slug": lambda: (
            errors.PluginNotFoundError("s").slug == "s"
        ),
        "PluginRateLimited has retry_at": lambda: limited(12.5).retry_at == 12.5,
        "PluginRateLimited says until when": lambda: (
            str(limited(12.0)) == "Rate limited until epoch 12"
        ),
        "PluginRateLimited may have a message": lambda: str(limited(12.0, "later")) == "later",
        "PluginRateLimited's message is optional": lambda: (
            list(inspect.signature(limited).parameters) == ["retry_at", "message"]
        ),
        "PluginRemediationNotSupported is made of slug and id": lambda: (
            list(inspect.signature(errors.PluginRemediationNotSupported).parameters)
            == ["plugin_slug", "remediation_id"]
        ),
    }.items():
        yield Fact("1.12", text, check)


def template_rules() -> Iterator[Fact]:
    names = (
        "project_slug",
        "org_slug",
        "environment",
        "project_id",
        "team_slug",
        "project_type_slug",
    )
    for name in names:
        yield Fact(
            "1.13",
            f"${{{name}}} is a variable",
            lambda n=name: expand_template(f"a ${{{n}}} b", {n: "x"}) == "a x b",
        )
        for given, said in (({name: None}, "None"), ({}, "an absent value")):
            yield Fact(
                "1.13",
                f"{said} for ${{{name}}} leaves nothing",
                lambda n=name, g=given: expand_template(f"a${{{n}}}b", g) == "ab",
            )
    allowed = f"Unknown template variable ${{x}}; allowed: {sorted(names)}"
    for call in (validate_template, lambda text: expand_template(text, {"x": "y"})):
        function = getattr(call, "__name__", "").strip("<>") or "expand"
        yield Fact(
            "1.13",
            f"an unknown variable is refused by {function.replace('lambda', 'expand_template')}",
            lambda c=call: refuses(allowed, lambda: c("${x}")),
        )
    for text in ("", "$project_slug", "${}", "{project_slug}", "$$"):
        yield Fact(
            "1.13",
            f"{text!r} has no variable in it",
            lambda t=text: expand_template(t, {"project_slug": "x"}) == t,
        )


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    kept = dict(registry._registry)
    yield Installation(monkeypatch)
    registry._registry.clear()
    registry._registry.update(kept)


RULES = (descriptors, schema_rules, error_rules, template_rules)


@pytest.mark.parametrize("fact", table(fact for rules in RULES for fact in rules()))
async def test_the_contract_holds(fact: Fact) -> None:
    """Each line of the document, by its section."""
    assert await holds(fact)


@pytest.mark.parametrize("fact", table(registry_rules()))
async def test_the_contract_of_the_registry_holds(fact: Fact, installation: Installation) -> None:
    """Each line of the document about loading, by its section."""
    assert await holds(fact, installation)


@pytest.mark.parametrize("fact", table(LOGGED))
async def test_the_registry_logs_under_imbis_name(
    fact: Fact, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    """Operators filter by that logger."""
    assert await holds(fact, installation, caplog)


@pytest.mark.parametrize("fact", table([Fact("1.11", "a file names the core", own_core_labels)]))
async def test_the_contract_of_schemas_holds(fact: Fact, tmp_path: Path) -> None:
    """A host's own list of core labels takes the place of the built-in one."""
    assert await holds(fact, tmp_path)
