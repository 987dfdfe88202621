"""The plugins of this process: what was loaded, what was not, and what each can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

from pydantic import BaseModel

from imbi_sdk import admission
from imbi_sdk.actions import UnfitCallable, callable_kind
from imbi_sdk.errors import PluginNotFoundError
from imbi_sdk.handler import parse_handler
from imbi_sdk.registry import LoadResult, RegistryEntry, find_action, get_plugin, list_plugins
from imbi_sdk.webhook import ActionDescriptor
from imbi_worker.operations.errors import NotFound, Refused

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class PluginView:
    """A plugin, or the name of one that did not load and why. *problems* counts its actions'."""

    name: str
    status: Literal["loaded", "error", "skipped"]
    version: str = ""
    package: str = ""
    plugin_type: str = ""
    actions: tuple[str, ...] = ()
    problems: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CredentialFieldView:
    name: str
    label: str
    required: bool


@dataclass(frozen=True, slots=True)
class ActionView:
    """One action. *takes* is the keyword it gets the event by; *problem* why it cannot run.

    *idempotent* is None where the rule's config decides.
    """

    name: str
    handler: str
    label: str
    description: str | None
    takes: str | None
    problem: str | None
    timeout_seconds: float | None
    max_attempts: int | None
    idempotent: bool | None
    config_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PluginReport:
    """A loaded plugin with its actions."""

    slug: str
    name: str
    description: str | None
    plugin_type: str
    auth_type: str
    package: str
    version: str
    credentials: tuple[CredentialFieldView, ...]
    actions: tuple[ActionView, ...]


def overview(result: LoadResult) -> tuple[PluginView, ...]:
    """Every plugin that was found, the ones that failed first."""
    failed = [PluginView(name, "error", detail=text) for name, text in result.errors.items()]
    loaded = [_view(entry) for entry in list_plugins()]
    skipped = [
        PluginView(name, "skipped", detail="of a newer API, or its slug is taken")
        for name in result.skipped
    ]
    return (*failed, *sorted(loaded, key=lambda view: view.name), *skipped)


def report(slug: str, result: LoadResult) -> PluginReport:
    """One loaded plugin.

    :raises NotFound: it is not loaded; says why, if that is known
    """
    try:
        entry = get_plugin(slug)
    except PluginNotFoundError:
        why = result.errors.get(slug)
        text = f"The plugin {slug!r} is not loaded" + (f": {why}." if why else ".")
        raise NotFound(text, "See `imbi-worker plugins list`.") from None
    manifest = entry.manifest
    return PluginReport(
        slug=slug,
        name=manifest.name,
        description=manifest.description,
        plugin_type=manifest.plugin_type,
        auth_type=manifest.auth_type,
        package=entry.package_name,
        version=entry.package_version,
        credentials=tuple(
            CredentialFieldView(field.name, field.label, field.required)
            for field in manifest.credentials
        ),
        actions=tuple(_action(slug, descriptor) for descriptor in _catalogue(entry)),
    )


def config_schema(handler: str, result: LoadResult) -> dict[str, Any]:
    """The JSON Schema, draft 2020-12, of what a rule may give an action as its config.

    :raises NotFound: no loaded plugin has this action; names those that are near
    :raises Refused: the config model has no schema
    """
    try:
        _, descriptor = find_action(*parse_handler(handler))
    except (PluginNotFoundError, ValueError) as error:
        why = result.errors.get(handler.partition("#")[0])
        raise NotFound(f"{error}" + (f" ({why})." if why else "."), _near(handler)) from None
    schema, problem = _schema(descriptor.config_model)
    if problem is not None:
        raise Refused(f"{handler} is loaded, but {problem}.", "See `imbi-worker plugins doctor`.")
    return {"$schema": _DRAFT} | schema


def _near(handler: str) -> str:
    known = [
        f"{entry.manifest.slug}#{descriptor.name}"
        for entry in list_plugins()
        for descriptor in _catalogue(entry)
    ]
    slug = handler.partition("#")[0]
    siblings = [one for one in known if one.startswith(f"{slug}#")]
    near = get_close_matches(handler, known, n=3) or siblings[:3]
    return f"Did you mean {' or '.join(near)}?" if near else "See `imbi-worker plugins list`."


def _view(entry: RegistryEntry) -> PluginView:
    catalogue = _catalogue(entry)
    unfit = [d for d in catalogue if isinstance(callable_kind(d), UnfitCallable)]
    return PluginView(
        name=entry.manifest.slug,
        status="loaded",
        version=entry.package_version,
        package=entry.package_name,
        plugin_type=entry.manifest.plugin_type,
        actions=tuple(descriptor.name for descriptor in catalogue),
        problems=len(unfit),
        detail=f"see `imbi-worker plugins show {entry.manifest.slug}`" if unfit else "",
    )


def _catalogue(entry: RegistryEntry) -> tuple[ActionDescriptor, ...]:
    if entry.manifest.plugin_type != "webhook":
        return ()
    read = admission.read_catalogue(entry.manifest.slug, entry.handler_cls)
    return () if isinstance(read, admission.Refused) else tuple(read.values())


def _action(slug: str, descriptor: ActionDescriptor) -> ActionView:
    kind = callable_kind(descriptor)
    schema, problem = _schema(descriptor.config_model)
    timeout = descriptor.timeout
    return ActionView(
        name=descriptor.name,
        handler=f"{slug}#{descriptor.name}",
        label=descriptor.label,
        description=descriptor.description,
        takes=None if isinstance(kind, UnfitCallable) else kind,
        problem=kind.text if isinstance(kind, UnfitCallable) else problem,
        timeout_seconds=None if timeout is None else timeout.total_seconds(),
        max_attempts=descriptor.max_attempts,
        idempotent=descriptor.idempotent or (None if descriptor.idempotent_when else False),
        config_schema=schema,
    )


def _schema(model: type[BaseModel]) -> tuple[dict[str, Any], str | None]:
    try:
        return model.model_json_schema(), None
    except Exception as error:  # noqa: BLE001 - a plugin's own hooks take part in this
        return {}, f"its config model has no JSON Schema ({type(error).__name__})"
