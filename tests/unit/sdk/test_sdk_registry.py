"""The registry: Imbi's order of checks, its messages, and an atomic change."""

import asyncio
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from importlib import metadata
from typing import Any

import pytest

from imbi_sdk import (
    ActionDescriptor,
    ActionNotFoundError,
    AnalysisPlugin,
    ConfigurationPlugin,
    ConnectionPlugin,
    DeploymentPlugin,
    IdentityPlugin,
    IncidentsPlugin,
    LifecyclePlugin,
    LogsPlugin,
    PluginManifest,
    PluginNotFoundError,
    PluginSchemaCollisionError,
    PluginVertexLabel,
    RegistryEntry,
    find_action,
    get_plugin,
    list_plugins,
    load_plugins,
    registry,
    reload_plugins,
)

Install = Callable[[dict[str, Any]], None]
MakePlugin = Callable[..., Any]


def manifest(**fields: Any) -> PluginManifest:
    return PluginManifest.model_validate(
        {"slug": "other", "name": "Other", "plugin_type": "webhook"} | fields
    )


def test_installed_plugins_are_loaded(installed: Install, make_plugin: MakePlugin) -> None:
    """The slug counts, not the entry point's name; the distribution is noted."""
    cls = make_plugin("tickets")
    installed({"some-name": cls})
    assert load_plugins() == (["tickets"], {}, [])
    entry = get_plugin("tickets")
    assert entry == RegistryEntry(cls, cls.manifest, "unknown", "unknown")
    assert list_plugins() == [entry]


def test_an_entry_is_frozen(installed: Install, make_plugin: MakePlugin) -> None:
    """What was loaded cannot be bent afterwards."""
    installed({"tickets": make_plugin()})
    load_plugins()
    with pytest.raises(AttributeError):
        get_plugin("tickets").package_name = "other"  # type: ignore[misc]  # the point


def test_a_plugin_that_cannot_be_imported_is_an_error(
    installed: Install, make_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message is the import's, and the others load."""
    installed({"tickets": make_plugin()})
    found = [metadata.EntryPoint("broken", "no_such_module_4f1d:x", "imbi.plugins")]
    found += metadata.entry_points(group="imbi.plugins")
    monkeypatch.setattr(metadata, "entry_points", lambda **_: found)
    assert load_plugins() == (
        ["tickets"],
        {"broken": "No module named 'no_such_module_4f1d'"},
        [],
    )


class Loading:
    """An entry point whose import is a function of the test."""

    dist = None
    value = "no_module_4f1d:Plugin"

    def __init__(self, name: str, load: Callable[[], Any]) -> None:
        self.name, self.load = name, load


@pytest.fixture
def loading(
    empty_registry: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Callable[[], Any]]], None]:
    """Makes entry points of functions, by name."""

    def install(loads: dict[str, Callable[[], Any]]) -> None:
        points = [Loading(name, load) for name, load in loads.items()]
        monkeypatch.setattr(metadata, "entry_points", lambda **_: points)

    return install


class Mute(Exception):  # noqa: N818 - of a plugin of the worst kind
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raising(error: BaseException) -> Callable[[], Any]:
    def load() -> Any:
        raise error

    return load


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SystemExit("bye"), "its import called sys.exit('bye')"),
        (SystemExit(3), "its import called sys.exit(3)"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
        (RuntimeError(), "RuntimeError"),
        (Mute(), "Mute (its text cannot be shown: __str__ raised)"),
    ],
)
def test_whatever_an_import_raises_is_that_plugins_failure_only(
    loading: Any, make_plugin: MakePlugin, error: BaseException, text: str
) -> None:
    """The process goes on, and the others load."""
    good = make_plugin()
    loading({"bad": raising(error), "good": lambda: good})
    assert load_plugins() == (["tickets"], {"bad": text}, [])


def test_a_catalogue_that_ends_the_process_does_not(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """Actions are imported when the catalogue is read."""
    installed({"bad": make_plugin("bad", actions=lambda: sys.exit(2)), "good": make_plugin()})
    assert load_plugins() == (["tickets"], {"bad": "its import called sys.exit(2)"}, [])


def test_a_manifest_that_raises_keeps_no_other_from_loading(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """A class may do anything when it is looked at."""

    class Trap(type):
        @property
        def manifest(cls) -> Any:
            raise RuntimeError("not yet")

    installed({"bad": Trap("Bad", (), {}), "good": make_plugin()})
    assert load_plugins() == (["tickets"], {"bad": "not yet"}, [])


def test_an_import_that_takes_too_long_is_left_behind(
    loading: Any, make_plugin: MakePlugin
) -> None:
    """The others load; once it has ended after all, a reload finds it."""
    end, slow, good = threading.Event(), make_plugin("slow"), make_plugin()

    def load() -> Any:
        end.wait()
        return slow

    loading({"slow": load, "good": lambda: good})
    try:
        result = load_plugins(within=timedelta(milliseconds=50))
        assert result.loaded == ["tickets"]
        assert result.errors["slow"].startswith("it did not import within 0.05 s; a plugin must")
    finally:
        end.set()
    assert reload_plugins() == (["slow", "tickets"], {}, [])


def test_without_a_limit_plugins_are_imported_in_the_calling_thread(
    loading: Any, make_plugin: MakePlugin
) -> None:
    """For plugins that insist on the main thread."""
    threads: list[threading.Thread] = []
    good = make_plugin()

    def load() -> Any:
        threads.append(threading.current_thread())
        return good

    loading({"good": load, "bad": raising(SystemExit(0))})
    assert load_plugins(within=None).errors == {"bad": "its import called sys.exit(0)"}
    load_plugins()
    assert threads[0] is threading.current_thread()
    assert threads[1] is not threads[0]


def test_an_import_sees_the_context_of_the_caller(loading: Any, make_plugin: MakePlugin) -> None:
    """Its log lines, say, carry what the host's carry."""
    bound, seen = ContextVar[str]("bound"), []
    good = make_plugin()
    bound.set("here")

    def load() -> Any:
        seen.append(bound.get())
        return good

    loading({"good": load})
    assert load_plugins().loaded == ["tickets"]
    assert seen == ["here"]


def test_while_plugins_are_imported_the_old_ones_are_served(
    loading: Any, make_plugin: MakePlugin
) -> None:
    """However long a reload takes, nobody waits for it and nobody sees a part of it."""
    loading({slug: partial(make_plugin, slug) for slug in ("old", "kept")})
    load_plugins()
    has_begun, may_end = threading.Event(), threading.Event()

    def load() -> Any:
        has_begun.set()
        may_end.wait()
        return make_plugin("new")

    loading({"kept": partial(make_plugin, "kept"), "new": load})
    reload = threading.Thread(target=reload_plugins)
    reload.start()
    assert has_begun.wait(10)
    during = [entry.manifest.slug for entry in list_plugins()]
    may_end.set()
    reload.join()
    assert during == ["old", "kept"]
    assert [entry.manifest.slug for entry in list_plugins()] == ["kept", "new"]


@pytest.mark.parametrize(
    "ask", [list_plugins, partial(get_plugin, "a"), partial(find_action, "a", "close")]
)
def test_a_reload_never_shows_a_half_filled_registry(
    loading: Any, make_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch, ask: Callable[[], Any]
) -> None:
    """Who asks in the very moment of the change waits for its end, and misses no plugin."""
    plugins = {slug: make_plugin(slug) for slug in ("a", "b")}
    loading({slug: partial(plugins.get, slug) for slug in plugins})
    load_plugins()
    answers: list[Any] = []

    def asking() -> None:
        try:
            answers.append(ask())
        except PluginNotFoundError as error:
            answers.append(error)

    asker = threading.Thread(target=asking)

    class Watched(dict[str, RegistryEntry]):
        """Lets the other thread ask when there is nothing in it."""

        def clear(self) -> None:
            super().clear()
            asker.start()
            asker.join(0.1)
            answers.append("changed")

    monkeypatch.setattr(registry, "_registry", Watched(registry._registry))
    reload_plugins()
    asker.join()
    assert answers == ["changed", ask()]


@pytest.mark.parametrize("found", [object, type("P", (), {"manifest": {"slug": "x"}}), 7])
def test_no_manifest_comes_first(installed: Install, found: Any) -> None:
    """Whatever else is wrong, this is what is said."""
    installed({"p": found})
    assert load_plugins().errors == {"p": "Missing or invalid manifest attribute"}


def test_a_class_outside_the_family_is_refused(installed: Install, make_plugin: MakePlugin) -> None:
    """An instance is no class either."""
    outside = type("P", (), {"manifest": manifest(api_version=7)})
    installed({"p": outside, "instance": make_plugin()()})
    message = (
        "Plugin must subclass ConfigurationPlugin, LogsPlugin, IdentityPlugin, "
        "DeploymentPlugin, LifecyclePlugin, or WebhookActionPlugin"
    )
    assert load_plugins().errors == {"p": message, "instance": message}


@pytest.mark.parametrize(
    ("plugin_type", "wanted"),
    [
        ("logs", "LogsPlugin"),
        ("analysis", "AnalysisPlugin"),
        ("connection", "ConnectionPlugin"),
    ],
)
def test_a_class_of_another_type_is_refused(
    installed: Install, make_plugin: MakePlugin, plugin_type: str, wanted: str
) -> None:
    """Said before the version is looked at."""
    installed({"p": make_plugin(plugin_type=plugin_type, api_version=7)})
    assert load_plugins().errors == {
        "p": f"Class does not implement {wanted} for plugin_type='{plugin_type}'"
    }


def test_another_api_version_is_skipped(installed: Install, make_plugin: MakePlugin) -> None:
    """It is for another host: no error, and its actions are never asked for."""

    def explode() -> None:
        raise AssertionError("asked")

    installed({"p": make_plugin(api_version=2, actions=explode)})
    assert load_plugins() == ([], {}, ["p"])


def test_a_catalogue_that_raises_is_an_error(installed: Install, make_plugin: MakePlugin) -> None:
    """The message carries the author's."""

    def explode() -> None:
        raise RuntimeError("no such file")

    installed({"p": make_plugin(actions=explode)})
    assert load_plugins().errors == {"p": "actions() raised: no such file"}


def test_a_wrong_path_in_a_descriptor_is_found_at_load(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """Long before a job would run into it."""

    def wrong() -> list[ActionDescriptor]:
        fields = {"name": "run", "label": "Run", "config_model": "pydantic.BaseModel"}
        return [ActionDescriptor.model_validate(fields | {"callable": "no_such_module_4f1d:run"})]

    installed({"p": make_plugin(actions=wrong)})
    assert load_plugins().errors["p"].startswith("actions() raised: 1 validation error")


@pytest.mark.parametrize("catalogue", [None, (), "run", ["run"], [None], {}])
def test_a_catalogue_is_a_list_of_descriptors(
    installed: Install, make_plugin: MakePlugin, catalogue: Any
) -> None:
    """A tuple is none."""
    installed({"p": make_plugin(actions=lambda: catalogue)})
    assert load_plugins().errors == {"p": "actions() must return list[ActionDescriptor]"}


def test_one_action_name_twice_is_an_error(installed: Install, make_plugin: MakePlugin) -> None:
    """The names are listed in order."""
    (one,) = make_plugin().actions()
    names = ["shut", "close", "shut", "open", "close"]
    twice = [one.model_copy(update={"name": name}) for name in names]
    installed({"p": make_plugin(actions=lambda: twice)})
    assert load_plugins().errors == {"p": "Duplicate action names within plugin: ['close', 'shut']"}


def test_an_empty_catalogue_loads_inert(
    installed: Install, make_plugin: MakePlugin, caplog: pytest.LogCaptureFixture
) -> None:
    """As a real plugin does; a warning says so."""
    installed({"p": make_plugin(actions=list)})
    assert load_plugins().loaded == ["tickets"]
    assert "'p' exposes no actions; the plugin is inert" in caplog.text
    with pytest.raises(ActionNotFoundError, match="it has no actions"):
        find_action("tickets", "close")


def test_the_second_plugin_of_a_slug_is_an_error(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """The first one stays."""
    first = make_plugin()
    installed({"a": first, "b": make_plugin()})
    assert load_plugins() == (["tickets"], {"b": "Duplicate plugin slug: tickets"}, [])
    assert get_plugin("tickets").handler_cls is first


def test_one_bad_plugin_keeps_no_other_from_loading(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """Order of the good ones is kept."""
    installed({"a": make_plugin("a"), "bad": object, "b": make_plugin("b")})
    result = load_plugins()
    assert result.loaded == ["a", "b"]
    assert set(result.errors) == {"bad"}


def test_a_label_collision_leaves_the_registry_as_it_was(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """The error comes out of the load, and nothing was changed."""
    installed({"old": make_plugin("old")})
    load_plugins()
    label = PluginVertexLabel(name="Project", model_ref="x:Y")
    installed({"new": make_plugin("new", vertex_labels=[label])})
    with pytest.raises(PluginSchemaCollisionError, match="'Project'"):
        reload_plugins()
    assert [entry.manifest.slug for entry in list_plugins()] == ["old"]
    assert find_action("old", "close")


def test_a_reload_forgets_what_is_gone(installed: Install, make_plugin: MakePlugin) -> None:
    """Plugin and actions alike."""
    installed({"old": make_plugin("old")})
    load_plugins()
    installed({"new": make_plugin("new")})
    assert reload_plugins().loaded == ["new"]
    with pytest.raises(PluginNotFoundError, match="'old'"):
        get_plugin("old")
    with pytest.raises(PluginNotFoundError, match="'old'"):
        find_action("old", "close")


@pytest.mark.parametrize(
    ("base", "plugin_type"),
    [
        (AnalysisPlugin, "analysis"),
        (ConfigurationPlugin, "configuration"),
        (ConnectionPlugin, "connection"),
        (DeploymentPlugin, "deployment"),
        (IdentityPlugin, "identity"),
        (IncidentsPlugin, "incidents"),
        (LifecyclePlugin, "lifecycle"),
        (LogsPlugin, "logs"),
    ],
)
def test_other_variations_load_and_have_no_actions(
    installed: Install, base: type, plugin_type: str
) -> None:
    """A host lists them; a worker finds no action there."""
    installed({"p": type("P", (base,), {"manifest": manifest(plugin_type=plugin_type)})})
    assert load_plugins() == (["other"], {}, [])
    with pytest.raises(ActionNotFoundError):
        find_action("other", "close")


def test_built_in_plugins_come_last_and_give_way(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """An installed plugin of the same slug replaces a built-in one."""
    theirs, ours, extra = make_plugin(), make_plugin(), make_plugin("extra")
    installed({"p": theirs})
    assert load_plugins(builtins=[ours, extra]) == (["tickets", "extra"], {}, ["tickets"])
    assert get_plugin("tickets").handler_cls is theirs
    assert load_plugins(builtins={"a": ours, "b": extra}) == (["tickets", "extra"], {}, ["a"])


def test_a_built_in_plugin_is_checked_like_others(installed: Install) -> None:
    """A mistake of ours is named as well."""
    installed({})
    assert load_plugins(builtins=[object]).errors == {
        "object": "Missing or invalid manifest attribute"
    }


def test_a_built_in_plugin_names_its_distribution(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """Found by the name of its top-level package."""
    installed({})
    cls = make_plugin()
    cls.__module__ = "imbi_sdk.somewhere"
    load_plugins(builtins=[cls])
    entry = get_plugin("tickets")
    assert (entry.package_name, entry.package_version) == (
        "imbi-sdk",
        metadata.version("imbi-sdk"),
    )


def test_an_action_is_found_with_its_plugin(installed: Install, make_plugin: MakePlugin) -> None:
    """The catalogue is read once, at load: the descriptor stays the same object."""
    asked: list[int] = []
    (one,) = make_plugin().actions()

    def count() -> list[ActionDescriptor]:
        asked.append(1)
        return [one]

    installed({"p": make_plugin(actions=count)})
    load_plugins()
    entry, descriptor = find_action("tickets", "close")
    assert entry is get_plugin("tickets")
    assert descriptor is find_action("tickets", "close")[1] is one
    assert asked == [1]


def test_an_unknown_action_names_the_known_ones(
    installed: Install, make_plugin: MakePlugin
) -> None:
    """An operator sees the misspelling."""
    installed({"p": make_plugin()})
    load_plugins()
    with pytest.raises(ActionNotFoundError, match="no action 'shut'; it has close"):
        find_action("tickets", "shut")


def test_an_entry_put_in_by_hand_has_its_actions(
    empty_registry: None, make_entry: Callable[..., RegistryEntry]
) -> None:
    """Tests of hosts fill the registry directly; their replacement counts at once."""
    registry._registry["tickets"] = make_entry()
    assert find_action("tickets", "close")[0] is get_plugin("tickets")
    registry._registry["tickets"] = replaced = make_entry()
    assert find_action("tickets", "close")[0] is replaced
