"""The classes of an installed imbi-common, beside ours of the same name.

A published plugin derives from imbi-common's own classes. With that package
installed those are not ours, and both families are welcome: what a plugin of
the other family declares is copied into our models, and what it is given is
made of its own.
"""

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Protocol, cast

from pydantic import BaseModel, ValidationError

from imbi_sdk.context import PluginContext
from imbi_sdk.manifest import PluginManifest
from imbi_sdk.serving import is_served
from imbi_sdk.webhook import ActionDescriptor


class _Entry(Protocol):
    @property
    def handler_cls(self) -> type: ...
    @property
    def package_name(self) -> str: ...
    @property
    def package_version(self) -> str: ...


def family(cls: type) -> tuple[type, ...]:
    """Our class and, where imbi-common is in use and has it, its namesake there."""
    theirs = _theirs(cls.__name__)
    return (cls,) if theirs is None else (cls, theirs)


def adopt_manifest(manifest: Any) -> PluginManifest | None:
    """A manifest of either family as ours, or None when it cannot be one."""
    if isinstance(manifest, PluginManifest):
        return manifest
    if not isinstance(manifest, family(PluginManifest)):
        return None
    try:
        return PluginManifest.model_validate(cast("BaseModel", manifest).model_dump())
    except ValidationError:
        return None


def adopt_descriptor(descriptor: Any) -> ActionDescriptor | None:
    """A descriptor of either family as ours, or None when it cannot be one."""
    if isinstance(descriptor, ActionDescriptor):
        return descriptor
    if not isinstance(descriptor, family(ActionDescriptor)):
        return None
    fields = ActionDescriptor.model_fields
    known = {name: getattr(descriptor, name) for name in fields if hasattr(descriptor, name)}
    try:
        return ActionDescriptor.model_validate(known)
    except ValidationError:
        return None


def context_for(handler_cls: type, ctx: PluginContext) -> PluginContext:
    """*ctx* as the plugin's own family of classes knows it.

    For a plugin built on an installed imbi-common that is its own
    ``PluginContext``, equal in every field it has; else *ctx* itself.
    """
    if any(base.__module__.startswith("imbi_sdk.") for base in handler_cls.__mro__):
        return ctx
    theirs = _theirs("PluginContext")
    if theirs is None:
        return ctx
    fields = ctx.model_dump() | {"resolve_user_by_identity": ctx.resolve_user_by_identity}
    return cast("PluginContext", cast("type[BaseModel]", theirs).model_validate(fields))


def publish(entries: Iterable[_Entry]) -> None:
    """Fill the registry of an installed imbi-common: its plugins may ask it."""
    registry = _imported("imbi_common.plugins.registry")
    make: Any = getattr(registry, "RegistryEntry", None)
    if registry is None or "handler_cls" not in getattr(make, "__dataclass_fields__", {}):
        return
    theirs: dict[str, Any] = {}
    for entry in entries:
        # As its author wrote it: the copy we keep may be of the other family.
        manifest: Any = getattr(entry.handler_cls, "manifest", None)
        theirs[manifest.slug] = make(
            handler_cls=entry.handler_cls,
            manifest=manifest,
            package_name=entry.package_name,
            package_version=entry.package_version,
        )
    with registry._lock:  # noqa: SLF001 - it has no other way in
        registry._registry.clear()  # noqa: SLF001 - it has no other way in
        registry._registry.update(theirs)  # noqa: SLF001 - it has no other way in


def _theirs(name: str) -> type | None:
    found = getattr(_imported("imbi_common.plugins.base"), name, None)
    return found if isinstance(found, type) else None


def _imported(module: str) -> ModuleType | None:
    """A module of an installed imbi-common, if something has imported it.

    We never do: what a plugin derives from it has imported, and a release made
    for a newer Python must fail nobody who does not use it.
    """
    return None if is_served("imbi_common") else sys.modules.get(module)
