"""Stored credentials: read, and changed without losing another writer's change.

A manifest's ``auth_type`` says where they lie: ``api_token`` and
``aws-iam-ic`` in the plugin's own encrypted configuration, the others in the
service application the plugin is linked to.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any, cast

from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import (
    PluginConfigurationConflict,
    PluginCredentialsMissing,
    PluginRecordMissing,
)
from imbi_sdk.graph import Graph, PluginRecord, ServiceApplicationRecord
from imbi_sdk.manifest import PluginManifest
from imbi_sdk.registry import RegistryEntry

_LOGGER = logging.getLogger("imbi_common.plugins.credentials")
_WRITES = 5


def uses_application(manifest: PluginManifest) -> bool:
    """Whether the credentials are those of the linked service application."""
    return manifest.auth_type not in {"api_token", "aws-iam-ic"}


async def get_plugin_credentials(db: Graph, plugin_id: str, entry: RegistryEntry) -> dict[str, str]:
    """The decrypted credentials of a configured plugin.

    :raises PluginCredentialsMissing: a required one is not set, or the plugin is linked to no
        service application
    :raises GraphUnavailable: the graph cannot be asked
    :raises RuntimeError: there is something to decrypt, and no key
    """
    if uses_application(entry.manifest):
        return credentials_from_application(await db.service_application(plugin_id), entry)
    return credentials_from_record(await db.plugin(plugin_id), entry)


def credentials_from_record(
    record: PluginRecord | None,
    entry: RegistryEntry,
    encryption: TokenEncryption | None = None,
) -> dict[str, str]:
    """The credentials in a plugin's configuration; reads no graph.

    A configuration that cannot be read counts as empty, with a warning. Without
    *encryption* the process's own is used, if there is something to decrypt.

    :raises PluginCredentialsMissing: a required one is not set
    :raises RuntimeError: there is something to decrypt, and no key
    """
    blob = record.configuration if record else None
    slug = entry.manifest.slug
    stored: dict[str, Any] = {}
    unread: Exception | None = None
    if blob:
        stored, unread = _stored(blob, slug, encryption or TokenEncryption.get_instance())
    required = (field.name for field in entry.manifest.credentials if field.required)
    missing = [name for name in required if not stored.get(name)]
    if missing:
        raise PluginCredentialsMissing(
            f"Missing required credentials for plugin {slug!r}: {missing}"
        ) from unread
    return {name: str(value) for name, value in stored.items() if value is not None}


def credentials_from_application(
    application: ServiceApplicationRecord | None,
    entry: RegistryEntry,
    encryption: TokenEncryption | None = None,
) -> dict[str, str]:
    """``client_id`` and ``client_secret`` of a linked application; reads no graph.

    :raises PluginCredentialsMissing: there is no link, or one of the two is not set or cannot
        be decrypted
    :raises RuntimeError: there is something to decrypt, and no key
    """
    subject = f"Plugin {entry.manifest.slug!r}"
    if application is None:
        raise PluginCredentialsMissing(
            f"{subject} is not linked to a ServiceApplication; pick one on the Plugins tab"
        )
    subject = f"The ServiceApplication of plugin {entry.manifest.slug!r}"
    if application.client_id is None or application.client_secret is None:
        raise PluginCredentialsMissing(f"{subject} is missing client_id or client_secret")
    opener = encryption or TokenEncryption.get_instance()
    try:
        secret = opener.decrypt(application.client_secret)
    except Exception as error:
        raise PluginCredentialsMissing(
            f"{subject} has a client_secret that could not be decrypted"
        ) from error
    if not secret:
        raise PluginCredentialsMissing(f"{subject} has no client_secret")
    return {"client_id": application.client_id, "client_secret": secret}


async def get_plugin_configuration_keys(db: Graph, plugin_id: str) -> list[str]:
    """The names of the fields that have a value; never the values.

    A configuration that cannot be read has none, with a warning.

    :raises GraphUnavailable: the graph cannot be asked
    """
    record = await db.plugin(plugin_id)
    return configuration_keys(record.configuration if record else None, plugin_id)


def configuration_keys(configuration: str | None, plugin_id: str) -> list[str]:
    """The same of a stored configuration; reads no graph.

    None of one that cannot be read, with a warning that names the plugin.
    """
    try:
        return _populated(_opened(configuration))
    except ValueError:
        _LOGGER.warning(
            "plugin_configuration unreadable for plugin_id=%s; reporting no keys", plugin_id
        )
        return []


def populated_fields(text: str) -> list[str]:
    """The same of a configuration that is decrypted already; ValueError when it is none."""
    return _populated(_parsed(text))


async def patch_plugin_configuration(
    db: Graph, plugin_id: str, updates: Mapping[str, str | None]
) -> list[str]:
    """Set the fields in *updates*; None or an empty text removes one.

    Returns the names of the fields that have a value now. A write that another
    writer overtook is begun again, a few times.

    :raises PluginRecordMissing: there is no such plugin
    :raises PluginConfigurationConflict: other writers kept being faster
    :raises ValueError: what stands there cannot be read, and is not overwritten
    :raises GraphUnavailable: the graph cannot be asked
    :raises RuntimeError: there is no key to encrypt with
    """
    for _ in range(_WRITES):
        record = await db.plugin(plugin_id)
        if record is None:
            raise PluginRecordMissing(plugin_id)
        patched = _patched(_opened(record.configuration), updates)
        new = TokenEncryption.get_instance().encrypt(json.dumps(patched))
        if await db.replace_configuration(plugin_id, expected=record.configuration, new=new):
            return _populated(patched)
    raise PluginConfigurationConflict(plugin_id)


def _patched(current: dict[str, Any], updates: Mapping[str, str | None]) -> dict[str, Any]:
    kept = {name: value for name, value in current.items() if name not in updates}
    return kept | {name: value for name, value in updates.items() if value}


def _populated(configuration: Mapping[str, Any]) -> list[str]:
    return [name for name, value in configuration.items() if value]


def _stored(
    blob: str, slug: str, encryption: TokenEncryption
) -> tuple[dict[str, Any], Exception | None]:
    """What a configuration holds; nothing, with a warning and why, when it cannot be read."""
    try:
        text = encryption.decrypt(blob)
    except Exception as error:  # noqa: BLE001 - whatever a key store raises, the job must be told
        _LOGGER.warning("Credential decrypt failed for plugin %s: %s", slug, type(error).__name__)
        return {}, error
    if text is None:
        _LOGGER.warning("Credential decrypt failed for plugin %s: no key opens it", slug)
        return {}, ValueError("no key opens the configuration")
    try:
        return _parsed(text), None
    except ValueError as error:
        _LOGGER.warning("Credential JSON parse failed for plugin %s: %s", slug, error)
        return {}, error


def _opened(blob: str | None) -> dict[str, Any]:
    """What a configuration holds, or ValueError: it must not be overwritten then."""
    if not blob:
        return {}
    encryption = TokenEncryption.get_instance()
    try:
        text = encryption.decrypt(blob)
    except Exception as error:
        raise ValueError("plugin_configuration could not be decrypted") from error
    if text is None:
        raise ValueError(
            "plugin_configuration decrypted to None; is the encryption key the right one?"
        )
    return _parsed(text)


def _parsed(text: str) -> dict[str, Any]:
    # The parser's own message, and its error's ``doc``, hold what was decrypted.
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("plugin_configuration is not valid JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("plugin_configuration must be a JSON object")  # noqa: TRY004 - one error for what cannot be read
    return cast("dict[str, Any]", parsed)
