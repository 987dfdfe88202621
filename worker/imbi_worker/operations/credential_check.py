"""Whether a worker could use what is stored: which key opens it, and what is missing in it.

Values are decrypted and dropped: a report holds the names of fields, and nothing else of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from imbi_sdk.credentials import (
    credentials_from_application,
    populated_fields,
    uses_application,
)
from imbi_sdk.errors import PluginCredentialsMissing
from imbi_sdk.graph import ServiceApplicationRecord
from imbi_sdk.registry import RegistryEntry
from imbi_worker.graph import Neo4jGraph, PluginSummary, StoredCredentials
from imbi_worker.operations.credentials import APPLICATION, plugin_here
from imbi_worker.operations.errors import NotFound, operation_errors
from imbi_worker.operations.rotation import KeyRing, Opener

Status: TypeAlias = Literal["ok", "warning", "failed"]

_LIST: Final = "See `imbi-worker credentials list`."
_SET: Final = "Set it with `imbi-worker credentials set`."
_IN_IMBI: Final = "Set it in Imbi, on the application of the service."
_ROTATE: Final = "Run `imbi-worker credentials rotate` before the old key goes."
_KEY: Final = (
    "Give the key it was written with, in IMBI_WORKER_OLD_ENCRYPTION_KEYS, or set it anew."
)
_ANEW: Final = "Set the plugin's configuration anew in Imbi."
_INSTALL: Final = "Run this command where it is installed."


@dataclass(frozen=True, slots=True)
class CredentialCheck:
    """One configured plugin. *key* opens what is stored; None when no key does, or nothing is.

    *fields* are the names of what has a value, *missing* of what is required and has none.
    """

    plugin_id: str
    plugin: str
    service: str | None
    status: Status
    key: Opener | None
    fields: tuple[str, ...]
    missing: tuple[str, ...]
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the graph holds for a plugin, as a worker reads it; *fields* are names alone."""

    is_there: bool = False
    key: Opener | None = None
    fields: tuple[str, ...] = ()
    error: str = ""


async def check_credentials(
    graph: Neo4jGraph, keys: KeyRing, wanted: str | None = None
) -> tuple[CredentialCheck, ...]:
    """Every configured plugin, those of one slug, or the one of that plugin id.

    :raises NotFound: the graph has no such plugin
    """
    with operation_errors():
        known = {one.plugin_id: one for one in await graph.list_plugins()}
        chosen = [one for one in known.values() if wanted in (None, one.plugin_id, one.plugin_slug)]
        if wanted is not None and not chosen:
            raise NotFound(f"The graph has no plugin {wanted!r}, by its id or its slug.", _LIST)
        found = await graph.stored_credentials([one.plugin_id for one in chosen])
        return tuple(
            _check(one, found.get(one.plugin_id, StoredCredentials()), keys) for one in chosen
        )


def _check(one: PluginSummary, found: StoredCredentials, keys: KeyRing) -> CredentialCheck:
    entry = plugin_here(one.plugin_slug)
    if entry is not None and _is_of_application(entry):
        stored = _of_application(found.application, entry, keys)
    else:
        stored = _of_configuration(found.configuration, keys)
    missing = tuple(name for name in _required(entry) if name not in stored.fields)
    status, detail, hint = _verdict(stored, entry, missing)
    return CredentialCheck(
        plugin_id=one.plugin_id,
        plugin=one.plugin_slug,
        service=one.service_slug,
        status=status,
        key=stored.key,
        fields=stored.fields,
        missing=missing,
        detail=detail,
        hint=hint,
    )


def _verdict(
    stored: _Stored, entry: RegistryEntry | None, missing: Sequence[str]
) -> tuple[Status, str, str]:
    """The worst that is to be said, and what to do about it."""
    if stored.is_there and stored.key is None:
        return "failed", "no key that was given opens it", _KEY
    if stored.error:
        return "failed", stored.error, _IN_IMBI if _is_of_application(entry) else _ANEW
    if missing:
        return "failed", f"not set: {', '.join(missing)}", _SET
    if entry is None:
        return "warning", "its plugin is not installed here: what it needs is unknown", _INSTALL
    if stored.key == "old":
        return "warning", "complete, but only an old key opens it", _ROTATE
    return "ok", "complete" if stored.is_there else "nothing is stored, and nothing needed", ""


def _of_configuration(ciphertext: str | None, keys: KeyRing) -> _Stored:
    if not ciphertext:
        return _Stored()
    opened = keys.opened(ciphertext)
    if opened is None:
        return _Stored(is_there=True)
    try:
        fields = tuple(sorted(populated_fields(opened.text)))
    except ValueError as error:
        return _Stored(is_there=True, key=opened.key, error=str(error))
    return _Stored(is_there=True, key=opened.key, fields=fields)


def _of_application(
    application: ServiceApplicationRecord | None, entry: RegistryEntry, keys: KeyRing
) -> _Stored:
    secret = application.client_secret if application is not None else None
    if application is None or application.client_id is None or not secret:
        return _Stored(error=_lack(application, entry))
    opened = keys.opened(secret)
    if opened is None:
        return _Stored(is_there=True)
    if not opened.text:
        return _Stored(is_there=True, key=opened.key, error="its client_secret is empty")
    return _Stored(is_there=True, key=opened.key, fields=APPLICATION)


def _lack(application: ServiceApplicationRecord | None, entry: RegistryEntry) -> str:
    """What a worker says of an application that is not whole."""
    try:
        credentials_from_application(application, entry)
    except PluginCredentialsMissing as error:
        return str(error)
    return ""


def _required(entry: RegistryEntry | None) -> Sequence[str]:
    if entry is None:
        return ()
    if _is_of_application(entry):
        return APPLICATION
    return [one.name for one in entry.manifest.credentials if one.required]


def _is_of_application(entry: RegistryEntry | None) -> bool:
    return entry is not None and uses_application(entry.manifest)
