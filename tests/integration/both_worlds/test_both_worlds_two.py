"""Where an imbi-common is installed: nothing of it is replaced, and both families serve."""

from installation import Installation

LOAD = """
import asyncio
import pathlib
from datetime import UTC, datetime
import imbi_sdk
from imbi_sdk import PluginContext, find_action, serving
from imbi_sdk.attempt import Action, Assignment, Standing, Supplies, Tools, classify, run_attempt
from imbi_sdk.counterpart import context_for
result = imbi_sdk.load_plugins()


class Clock:
    def now(self):
        return datetime(2026, 11, 22, tzinfo=UTC)

    def jitter(self):
        return 1.0


def attempt(slug, config):
    entry, descriptor = find_action(slug, "act")

    async def resolve(subject):
        return None

    async def supply(*, fresh):
        ours = PluginContext(
            project_id="p1",
            project_slug="p",
            org_slug="o",
            service_plugins=[{"slug": "github"}],
            resolve_user_by_identity=resolve,
        )
        return Supplies(context_for(entry.handler_cls, ours), {})

    action = Action(f"{slug}#act", descriptor, "event")
    standing = Standing(plugin_id="1")
    assignment = Assignment(action, supply, json.dumps(config), b"{}", standing=standing)
    return asyncio.run(run_attempt(assignment, Tools(Clock()))).outcome
"""


def test_the_finder_steps_aside(world_two: Installation) -> None:
    """What the installed package has not is missing, in Python's own words."""
    told = world_two.run(
        LOAD,
        """
        import imbi_common.plugins.base
        told = [
            imbi_common.__file__,
            imbi_common.plugins.base.PluginContext is PluginContext,
            serving.is_served("imbi_common"),
        ]
        try:
            import imbi_common.json_pointer
        except ModuleNotFoundError as error:
            told += [str(error)]
        """,
    )
    assert told == [
        str(world_two.root / "imbi_common" / "__init__.py"),
        False,
        False,
        "No module named 'imbi_common.json_pointer'",
    ]


def test_both_families_load(world_two: Installation) -> None:
    """A plugin of the installed package keeps deriving from it; what it declares is ours."""
    told = world_two.run(
        LOAD,
        """
        import imbi_common.plugins.base
        theirs = imbi_sdk.get_plugin("theirs")
        told = [
            sorted(result.loaded), result.errors, result.skipped,
            issubclass(theirs.handler_cls, imbi_common.plugins.base.WebhookActionPlugin),
            issubclass(theirs.handler_cls, imbi_sdk.WebhookActionPlugin),
            type(theirs.manifest) is imbi_sdk.PluginManifest,
            [field.name for field in theirs.manifest.credentials],
            type(find_action("theirs", "act")[1]) is imbi_sdk.ActionDescriptor,
        ]
        """,
    )
    assert told == [["ours", "theirs"], {}, [], True, False, True, ["api_token"], True]


def test_the_installed_registry_is_filled_from_ours(world_two: Installation) -> None:
    """A plugin that asks it finds every plugin, as its author declared it."""
    told = world_two.run(
        LOAD,
        """
        from imbi_common.plugins import registry
        import imbi_common.plugins.base
        one = registry.get_plugin("theirs")
        told = [
            sorted(registry._registry),
            type(one) is registry.RegistryEntry,
            type(one.manifest) is imbi_common.plugins.base.PluginManifest,
            one.handler_cls is imbi_sdk.get_plugin("theirs").handler_cls,
            [one.package_name, one.package_version],
        ]
        """,
    )
    assert told == [["ours", "theirs"], True, True, True, ["imbi-plugin-theirs", "2.11.5"]]


def test_an_action_is_given_the_context_of_its_family(world_two: Installation) -> None:
    """With every field that family knows, down to the models within, and the resolver."""
    told = world_two.run(
        LOAD,
        f"""
        note = {str(world_two.root / "note")!r}
        told = []
        for slug in ("theirs", "ours"):
            ended = attempt(slug, {{"note": note}})
            seen = json.loads(pathlib.Path(note).read_text())
            told += [type(ended).__name__, seen["context"], seen["project"], seen["resolver"]]
        """,
    )
    assert told == [
        "Succeeded",
        "imbi_common.plugins.base",
        "p1",
        True,
        "Succeeded",
        "imbi_sdk.context",
        "p1",
        True,
    ]


def test_errors_of_both_families_mean_the_same(world_two: Installation) -> None:
    """Known by class name over the MRO; through the table alone and through a whole attempt."""
    told = world_two.run(
        LOAD,
        """
        from imbi_common.plugins import errors as theirs
        from imbi_sdk import errors as ours
        names = [n for n in vars(theirs) if n.startswith("Plugin")]
        told = {}
        for name in names:
            row = []
            for slug, family in (("theirs", theirs), ("ours", ours)):
                made = getattr(family, name)(4102444800.0 if name == "PluginRateLimited" else "x")
                sorted_out = classify(
                    made, Standing(plugin_id="1"), now=Clock().now(), jitter=1.0, redact=str
                )
                ended = attempt(slug, {"error": name})
                row += [type(sorted_out).__name__, type(ended).__name__]
            told[name] = row
        told["QuotaUsedUp"] = [type(attempt("theirs", {"error": "QuotaUsedUp"})).__name__]
        """,
    )
    assert told == {
        "PluginRateLimited": ["Deferred"] * 4,
        "PluginAuthenticationFailed": ["Dead"] * 4,
        "PluginUnavailableError": ["Retry"] * 4,
        "PluginTimeoutError": ["Retry"] * 4,
        "PluginCredentialsMissing": ["Dead"] * 4,
        "PluginNotFoundError": ["Dead"] * 4,
        "QuotaUsedUp": ["Retry"],
    }


def test_the_command_lists_plugins_of_both_families(world_two: Installation) -> None:
    """As a pod would see them."""
    code, out, err = world_two.command("plugins", "list")
    assert code == 0, err
    for slug in ("theirs", "ours", "gateway-actions"):
        assert slug in out
