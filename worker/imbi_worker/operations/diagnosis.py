"""What is wrong with the plugins of this process, what comes of it, and what mends it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from imbi_sdk.admission import Unsupported
from imbi_sdk.attempt import Redactor
from imbi_sdk.discovery import installed, judge
from imbi_sdk.errors import PluginNotFoundError, PluginSchemaCollisionError
from imbi_sdk.handler import parse_handler
from imbi_sdk.registry import LoadResult, RegistryEntry, get_plugin, list_plugins
from imbi_worker.operations.plugins import ActionView, report

Health: TypeAlias = Literal["ok", "warning", "failed"]

# It has been imported before, so this is a look and no wait.
_AGAIN: Final = timedelta(seconds=5)
_UNRESOLVED: Final = (
    "Its jobs wait 10 minutes for a worker that has it, then they are dead: handler not resolvable."
)
_NO_RULE: Final = "No webhook rule can use it."
_DUPLICATE: Final = "Duplicate plugin slug: "
# How the reasons of the registry and of Python's import begin.
_FIXES: Final[Mapping[str, str]] = {
    "No module named 'imbi_common": "Install what the message names, next to the worker.",
    "No module named": "Install the package that has this module, next to the worker.",
    "cannot import name": "Install the release of that package which the plugin was made for.",
    "Missing or invalid manifest": "Set `manifest = PluginManifest(...)` on the plugin's class,"
    " and let the entry point name that class.",
    "Plugin must subclass": "Derive the class from the base of its type, e.g. WebhookActionPlugin,"
    " and let the entry point name the class itself.",
    "Class does not implement": "Make the manifest's plugin_type and the base class agree.",
    "actions() raised": "Call actions() in a Python shell; most often the path of a callable or"
    " of a config model is wrong.",
    "actions() must return": "Return a list with nothing but ActionDescriptor in it.",
    "Duplicate action names": "Give each action a name of its own.",
    "it did not import within": "Take out of its modules what connects or waits, then restart.",
    "the import of": "Mend the plugin whose import hangs, then restart.",
    "its import called sys.exit": "Put the call under `if __name__ == '__main__':`.",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found of *subject*: an entry point, a plugin's slug, or a handler.

    *effect* is what it means for jobs, *fix* what mends it; both are empty when all is well.
    """

    subject: str
    status: Health
    finding: str
    effect: str = ""
    fix: str = ""


def diagnose(result: LoadResult) -> tuple[Diagnosis, ...]:
    """Everything that was found, the worst first."""
    found = [
        *(_refused(name, reason) for name, reason in sorted(result.errors.items())),
        *(_skipped(name) for name in sorted(result.skipped)),
        *(one for entry in list_plugins() for one in _loaded(entry, result)),
    ]
    severity = ("failed", "warning", "ok")
    return tuple(sorted(found, key=lambda one: severity.index(one.status)))


def diagnose_collision(error: PluginSchemaCollisionError) -> Diagnosis:
    """Two plugins claim one label, so that none was loaded at all."""
    return Diagnosis(
        "labels",
        "failed",
        f"{error}",
        "No plugin is loaded, and no worker starts.",
        "Correct one of the manifests, or uninstall one of the packages.",
    )


def _refused(name: str, reason: str) -> Diagnosis:
    # What a plugin says while it is imported is anybody's text.
    finding = f"not loaded: {Redactor().text(reason)}"
    if reason.startswith(_DUPLICATE):
        other = _package(reason.removeprefix(_DUPLICATE))
        fix = f"Uninstall it, or {other}; or change one slug."
        return Diagnosis(name, "failed", finding, f"Rules that name the slug get {other}.", fix)
    fixes = [fix for start, fix in _FIXES.items() if reason.startswith(start)]
    if not fixes and "has no attribute" in reason:
        fixes = ["Correct the entry point; it reads `name = module:Class`."]
    return Diagnosis(name, "failed", finding, _UNRESOLVED, fixes[0] if fixes else _by_hand(name))


def _by_hand(name: str) -> str:
    modules = [one.module for one in installed() if one.name == name and one.module]
    what = f" -c 'import {modules[0]}'" if modules else ""
    return f"Import it by hand for the traceback: python{what}"


def _skipped(name: str) -> Diagnosis:
    for candidate in installed():
        if candidate.name != name:
            continue
        match judge(candidate, _AGAIN):
            case Unsupported(api_version):
                package = f"{candidate.package_name} {candidate.package_version}"
                finding = f"left out: {package} is made for plugin API {api_version}"
                fix = "Install a release of it for API 1, or a newer imbi-worker."
                return Diagnosis(name, "warning", finding, _UNRESOLVED, fix)
            case _:
                break
    return Diagnosis(name, "ok", f"built in, and gives way to {_package(name)}")


def _package(slug: str) -> str:
    try:
        entry = get_plugin(slug)
    except PluginNotFoundError:
        return "other plugin"
    return f"{entry.package_name} {entry.package_version}"


def _loaded(entry: RegistryEntry, result: LoadResult) -> Iterator[Diagnosis]:
    slug, plugin_type = entry.manifest.slug, entry.manifest.plugin_type
    if plugin_type != "webhook":
        fix = "Nothing to do, if other services of Imbi use it."
        yield Diagnosis(slug, "warning", f"loaded, of type {plugin_type!r}", _NO_RULE, fix)
        return
    actions = report(slug, result).actions
    troubles = [*_slug(slug), *(one for action in actions for one in _action(action))]
    if not actions:
        fix = "Return an ActionDescriptor for each action from actions()."
        troubles.append(Diagnosis(slug, "warning", "loaded, without any action", _NO_RULE, fix))
    yield from troubles
    if not troubles:
        count = f"{len(actions)} action{'s' if len(actions) > 1 else ''}"
        yield Diagnosis(slug, "ok", f"loaded, {count}")


def _slug(slug: str) -> Iterator[Diagnosis]:
    try:
        parse_handler(f"{slug}#action")
    except ValueError:
        yield Diagnosis(
            slug,
            "failed",
            "loaded, with a slug that no handler can name",
            _NO_RULE,
            "Change it to lower case letters, digits and '-', beginning with a letter.",
        )


def _action(action: ActionView) -> Iterator[Diagnosis]:
    if action.problem is None:
        return
    if action.takes is None:
        effect = "Its jobs are dead at their first attempt, reported as failed."
        fix = "Correct it, install the plugin again, then replay its dead letters."
        yield Diagnosis(action.handler, "failed", action.problem, effect, fix)
        return
    effect = "Its jobs run; what shows or checks its config by schema cannot."
    fix = "Use field types that pydantic can describe, or give them a JSON schema."
    yield Diagnosis(action.handler, "warning", action.problem, effect, fix)
