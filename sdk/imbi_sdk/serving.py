"""Imbi's import paths, served from this package.

A plugin written for Imbi imports ``imbi_common.plugins`` and a few modules
beside it. Where no imbi-common is installed, ``install`` makes those paths lead
here: to the same classes, not to copies. An installed imbi-common always comes
first, whole: nothing of ours is mixed into it.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_ALIASES = {
    "imbi_common.auth.encryption": "imbi_sdk.encryption",
    "imbi_common.json_pointer": "imbi_sdk.json_pointer",
    "imbi_common.plugins.credentials": "imbi_sdk.credentials",
    "imbi_common.plugins.errors": "imbi_sdk.errors",
    "imbi_common.plugins.registry": "imbi_sdk.registry",
    "imbi_common.plugins.schemas": "imbi_sdk.schemas",
    "imbi_common.plugins.templates": "imbi_sdk.templates",
    "imbi_common.settings": "imbi_sdk.settings",
}
_COLLECTIONS: dict[str, Sequence[str]] = {
    "imbi_common": (),
    "imbi_common.auth": (),
    "imbi_common.plugins": ("imbi_sdk",),
    "imbi_common.plugins.base": (
        "imbi_sdk.analysis",
        "imbi_sdk.configuration",
        "imbi_sdk.connection",
        "imbi_sdk.context",
        "imbi_sdk.deployment",
        "imbi_sdk.identity",
        "imbi_sdk.identity_plugin",
        "imbi_sdk.incidents",
        "imbi_sdk.lifecycle",
        "imbi_sdk.logs",
        "imbi_sdk.manifest",
        "imbi_sdk.webhook",
    ),
}
_PACKAGES = frozenset({"imbi_common", "imbi_common.auth", "imbi_common.plugins"})


class _Loader(Loader):
    """Makes a module of our own, or puts ours in its place."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        if name in _ALIASES:
            # One module under two names: what is set on one is seen on both.
            sys.modules[name] = importlib.import_module(_ALIASES[name])
            return
        for source in _COLLECTIONS[name]:
            module.__dict__.update(_public(importlib.import_module(source)))


class _Finder(MetaPathFinder):
    """Serves Imbi's paths when nobody before it did: it is the last one asked."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        del path, target
        if fullname.partition(".")[0] != "imbi_common":
            return None
        if fullname != "imbi_common" and not is_served("imbi_common"):
            return None
        if fullname not in _ALIASES and fullname not in _COLLECTIONS:
            raise _missing(fullname)
        return ModuleSpec(fullname, _Loader(), is_package=fullname in _PACKAGES)


def _missing(path: str) -> ModuleNotFoundError:
    # Named after the package and not after the module: ``from imbi_common import
    # clickhouse`` would swallow the latter, and say "cannot import name" in its place.
    return ModuleNotFoundError(
        f"No module named {path!r}: it is part of imbi-common, which is not installed, and "
        "imbi-sdk serves only what plugins share. Install the release the plugin was made for, "
        "e.g. pip install 'imbi-common[databases]==2.11.5'; it needs Python 3.14 or newer",
        name="imbi_common",
        path=path,
    )


def is_served(package: str) -> bool:
    """Whether *package* is ours, and not that of an installed imbi-common."""
    loaded = sys.modules.get(package)
    spec = find_spec(package) if loaded is None else loaded.__spec__
    return spec is not None and isinstance(spec.loader, _Loader)


def install() -> None:
    """Serve the paths from now on. Once is enough; again does nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def _public(module: ModuleType) -> dict[str, Any]:
    names: Any = getattr(module, "__all__", None)
    if names is None:
        return {name: found for name, found in vars(module).items() if not name.startswith("_")}
    return {"__all__": list(names)} | {name: getattr(module, name) for name in names}
