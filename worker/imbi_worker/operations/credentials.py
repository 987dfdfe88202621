"""Stored credentials: which are set, and setting one. No value is ever returned or shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from imbi_sdk.credentials import (
    configuration_keys,
    patch_plugin_configuration,
    uses_application,
)
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import PluginNotFoundError
from imbi_sdk.graph import PluginRecord
from imbi_sdk.registry import RegistryEntry, get_plugin
from imbi_worker.graph import Neo4jGraph, PluginSummary, StoredCredentials
from imbi_worker.operations.errors import Misconfigured, NotFound, Refused, operation_errors

APPLICATION = ("client_id", "client_secret")
_LIST = "See `imbi-worker credentials list`."


@dataclass(frozen=True, slots=True)
class CredentialView:
    """One field of one configured plugin. *is_set* is None when that cannot be told."""

    plugin_id: str
    plugin: str
    service: str | None
    field: str
    required: bool
    is_set: bool | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """The names of the fields that have a value after a change."""

    plugin_id: str
    plugin: str
    fields: tuple[str, ...]


async def list_credentials(
    graph: Neo4jGraph, plugin_id: str | None = None
) -> tuple[CredentialView, ...]:
    """Every field that a plugin needs or has, of one plugin or of all.

    :raises NotFound: no such plugin
    :raises Misconfigured: there is no usable encryption key
    """
    with operation_errors():
        _require_key()
        summaries = await graph.list_plugins()
        wanted = [one for one in summaries if plugin_id in (None, one.plugin_id)]
        if plugin_id is not None and not wanted:
            raise NotFound(f"The graph has no plugin {plugin_id!r}.", _LIST)
        stored = await graph.stored_credentials([one.plugin_id for one in wanted])
        return tuple(
            view
            for one in wanted
            for view in _fields(one, stored.get(one.plugin_id, StoredCredentials()))
        )


async def find_plugin(graph: Neo4jGraph, plugin_id: str, *, field: str | None) -> PluginRecord:
    """A plugin to change, and if *field* is given, one that has it.

    :raises NotFound: no such plugin
    :raises Refused: the plugin has no such field
    :raises Misconfigured: there is no usable encryption key
    """
    with operation_errors():
        _require_key()
        record = await graph.plugin(plugin_id)
    if record is None:
        raise NotFound(f"The graph has no plugin {plugin_id!r}.", _LIST)
    if field is not None:
        _check_field(record, field)
    return record


async def set_credential(
    graph: Neo4jGraph, record: PluginRecord, field: str, value: SecretStr | None
) -> Changed:
    """Set one field, or remove it with None.

    :raises NotFound: the plugin was removed meanwhile
    :raises Refused: the value is empty, or what is stored cannot be read
    """
    text = None if value is None else value.get_secret_value()
    if text == "":
        raise Refused("The value is empty.", "To remove a field pass --unset.")
    with operation_errors():
        try:
            fields = await patch_plugin_configuration(graph, record.plugin_id, {field: text})
        except ValueError as error:
            # Nothing is overwritten that cannot be read.
            hint = "Look at IMBI_AUTH_ENCRYPTION_KEY and IMBI_WORKER_OLD_ENCRYPTION_KEYS."
            raise Refused(f"Nothing was changed: {error}", hint) from None
    return Changed(record.plugin_id, record.plugin_slug, tuple(sorted(fields)))


def _check_field(record: PluginRecord, field: str) -> None:
    entry = plugin_here(record.plugin_slug)
    if entry is None:
        raise Refused(
            f"The plugin {record.plugin_slug!r} is not installed here, so its fields are unknown.",
            "Run this command where it is installed.",
        )
    if uses_application(entry.manifest):
        raise Refused(
            f"The credentials of {record.plugin_slug!r} are those of its service application.",
            "Set them in Imbi, on the service's application.",
        )
    declared = [one.name for one in entry.manifest.credentials]
    if field not in declared:
        names = ", ".join(declared) or "none at all"
        raise Refused(f"{record.plugin_slug!r} has no credential {field!r}.", f"It has: {names}.")


def _fields(summary: PluginSummary, found: StoredCredentials) -> list[CredentialView]:
    entry = plugin_here(summary.plugin_slug)
    if entry is not None and uses_application(entry.manifest):
        note = "of the service application"
        return [_view(summary, name, summary.has_application, note=note) for name in APPLICATION]
    stored = configuration_keys(found.configuration, summary.plugin_id)
    is_readable = bool(stored) or not summary.has_configuration
    views = [] if entry is None else _declared(summary, entry, stored, is_readable=is_readable)
    known = {view.field for view in views}
    note = "the plugin is not installed here" if entry is None else "not declared by the plugin"
    views += [
        _view(summary, name, is_set=True, required=False, note=note)
        for name in sorted(stored)
        if name not in known
    ]
    return views


def _declared(
    summary: PluginSummary, entry: RegistryEntry, stored: Sequence[str], *, is_readable: bool
) -> list[CredentialView]:
    note = "" if is_readable else "nothing readable is stored: no field, or another key"
    return [
        _view(summary, one.name, one.name in stored, required=one.required, note=note)
        for one in entry.manifest.credentials
    ]


def _view(
    summary: PluginSummary,
    field: str,
    is_set: bool | None,  # noqa: FBT001 - the third state is the point
    *,
    required: bool = True,
    note: str = "",
) -> CredentialView:
    slug, service = summary.plugin_slug, summary.service_slug
    return CredentialView(summary.plugin_id, slug, service, field, required, is_set, note)


def plugin_here(slug: str) -> RegistryEntry | None:
    """The plugin *slug* if it is installed next to this command."""
    try:
        return get_plugin(slug)
    except PluginNotFoundError:
        return None


def _require_key() -> None:
    try:
        TokenEncryption.get_instance()
    except (RuntimeError, ValueError) as error:
        hint = "Give this command the Fernet key of Imbi's other services."
        raise Misconfigured(f"{error}.", hint) from None
