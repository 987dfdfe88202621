"""The plugins of this process, found through the entry points ``imbi.plugins``."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import RLock
from typing import Final, NamedTuple

from imbi_sdk.admission import Admitted, PluginClass, Refused, Unsupported, read_catalogue
from imbi_sdk.counterpart import family, publish
from imbi_sdk.discovery import Candidate, built_in, installed, judge
from imbi_sdk.errors import ActionNotFoundError, PluginNotFoundError
from imbi_sdk.manifest import PluginManifest
from imbi_sdk.schemas import validate_no_collisions
from imbi_sdk.serving import install
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin

_LOGGER = logging.getLogger("imbi_common.plugins.registry")
_IMPORT_TIME: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class RegistryEntry:
    """A loaded plugin and the distribution it came with."""

    handler_cls: PluginClass
    manifest: PluginManifest
    package_name: str
    package_version: str


class LoadResult(NamedTuple):
    """The slugs that were loaded; what went wrong, and what was left out, by name."""

    loaded: list[str]
    errors: dict[str, str]
    skipped: list[str]


class _Loaded(NamedTuple):
    entry: RegistryEntry
    actions: Mapping[str, ActionDescriptor]


# One load at a time: a second one would find modules half imported by the first.
_loading = RLock()
_lock = RLock()
_registry: dict[str, RegistryEntry] = {}
_catalogues: dict[str, _Loaded] = {}


def load_plugins(
    *,
    builtins: Mapping[str, type] | Sequence[type] = (),
    within: timedelta | None = _IMPORT_TIME,
) -> LoadResult:
    """Fill the registry from the installed entry points, then from *builtins*.

    A built-in plugin gives way to an installed one of the same slug and is
    counted as skipped. One plugin that fails keeps no other from loading, and
    one that is not imported *within* that time has failed; each is imported in a
    thread of its own. With None they are imported in this thread, without limit.

    :raises PluginSchemaCollisionError: two plugins claim one label; the registry is as it was
    """
    install()
    with _loading:
        return _load([*installed(), *built_in(builtins)], within)


def reload_plugins(
    *,
    builtins: Mapping[str, type] | Sequence[type] = (),
    within: timedelta | None = _IMPORT_TIME,
) -> LoadResult:
    """Read the entry points again. Modules that are imported already stay as they are."""
    _LOGGER.info("Reloading plugin registry")
    return load_plugins(builtins=builtins, within=within)


def get_plugin(slug: str) -> RegistryEntry:
    """The plugin *slug*, with the distribution it came with.

    :raises PluginNotFoundError: none is loaded
    """
    with _lock:
        entry = _registry.get(slug)
    if entry is None:
        raise PluginNotFoundError(slug)
    return entry


def list_plugins() -> list[RegistryEntry]:
    """Every loaded plugin, in the order of loading."""
    with _lock:
        return list(_registry.values())


def list_handlers() -> list[str]:
    """Every ``<slug>#<action>`` that a rule could name here."""
    entries = [(entry.manifest.slug, entry) for entry in list_plugins()]
    return [f"{slug}#{name}" for slug, entry in entries for name in _actions(slug, entry)]


def find_action(slug: str, name: str) -> tuple[RegistryEntry, ActionDescriptor]:
    """The plugin and the descriptor that the handler ``slug#name`` means.

    :raises PluginNotFoundError: no such plugin is loaded
    :raises ActionNotFoundError: it has no such action, or is no webhook plugin
    """
    entry = get_plugin(slug)
    actions = _actions(slug, entry)
    if name not in actions:
        raise ActionNotFoundError(slug, name, actions)
    return entry, actions[name]


def _actions(slug: str, entry: RegistryEntry) -> Mapping[str, ActionDescriptor]:
    with _lock:
        loaded = _catalogues.get(slug)
    if loaded is not None and loaded.entry is entry:
        return loaded.actions
    # Put into the registry by hand, as tests do.
    if not issubclass(entry.handler_cls, family(WebhookActionPlugin)):
        return {}
    read = read_catalogue(slug, entry.handler_cls)
    return {} if isinstance(read, Refused) else read


def _load(candidates: Sequence[Candidate], within: timedelta | None) -> LoadResult:
    result = LoadResult([], {}, [])
    found: dict[str, _Loaded] = {}
    for candidate in candidates:
        admitted = _admit(candidate, found, result, within)
        if admitted is not None:
            slug = admitted.manifest.slug
            found[slug] = _loaded(candidate, admitted)
            result.loaded.append(slug)
    validate_no_collisions([loaded.entry.manifest for loaded in found.values()])
    with _lock:
        _registry.clear()
        _registry.update({slug: loaded.entry for slug, loaded in found.items()})
        _catalogues.clear()
        _catalogues.update(found)
        publish(_registry.values())
    return result


def _loaded(candidate: Candidate, admitted: Admitted) -> _Loaded:
    entry = RegistryEntry(
        handler_cls=admitted.handler_cls,
        manifest=admitted.manifest,
        package_name=candidate.package_name,
        package_version=candidate.package_version,
    )
    _LOGGER.info(
        "Loaded plugin %r v%s (slug=%r, api_version=%d)",
        entry.package_name,
        entry.package_version,
        entry.manifest.slug,
        entry.manifest.api_version,
    )
    return _Loaded(entry, admitted.actions)


def _admit(
    candidate: Candidate,
    found: Mapping[str, _Loaded],
    result: LoadResult,
    within: timedelta | None,
) -> Admitted | None:
    """What may join *found*; what may not is written into *result*."""
    name = candidate.name
    match judge(candidate, within):
        case Refused(reason):
            _LOGGER.error("Plugin %r is refused: %s", name, reason)
            result.errors[name] = reason
        case Unsupported():
            result.skipped.append(name)
        case Admitted(manifest=manifest) if manifest.slug in found and candidate.is_builtin:
            _LOGGER.info("The built-in plugin %r gives way to an installed one", manifest.slug)
            result.skipped.append(name)
        case Admitted(manifest=manifest) if manifest.slug in found:
            _LOGGER.error("Plugin %r is refused: its slug %r is taken", name, manifest.slug)
            result.errors[name] = f"Duplicate plugin slug: {manifest.slug}"
        case Admitted() as admitted:
            return admitted
    return None
