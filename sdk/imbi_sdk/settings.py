"""The keys that open stored credentials, read from the environment when asked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from imbi_sdk.errors import ConfigurationError

ENCRYPTION_KEY = "IMBI_AUTH_ENCRYPTION_KEY"
ENCRYPTION_KEY_FILE = "IMBI_AUTH_ENCRYPTION_KEY_FILE"
OLD_ENCRYPTION_KEYS = "IMBI_WORKER_OLD_ENCRYPTION_KEYS"
CONFIG_ENCRYPTION_KEY = "IMBI_CONFIG_ENCRYPTION_KEY"
CONFIG_ENCRYPTION_KEY_FILE = "IMBI_CONFIG_ENCRYPTION_KEY_FILE"


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """The key that encrypts and decrypts, and older ones that only decrypt."""

    encryption_key: SecretStr | None = None
    old_encryption_keys: tuple[SecretStr, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigSettings:
    """The key of Imbi's own stored configuration; no plugin's credentials are under it."""

    encryption_key: SecretStr | None = None


def get_auth_settings(environ: Mapping[str, str] | None = None) -> AuthSettings:
    """What the environment says now; nothing is made up when it says nothing.

    The key stands in ``IMBI_AUTH_ENCRYPTION_KEY`` or in the file that
    ``IMBI_AUTH_ENCRYPTION_KEY_FILE`` names; older ones, separated by commas, in
    ``IMBI_WORKER_OLD_ENCRYPTION_KEYS``.
    """
    source = os.environ if environ is None else environ
    old = (key.strip() for key in source.get(OLD_ENCRYPTION_KEYS, "").split(","))
    return AuthSettings(
        encryption_key=_key(source, ENCRYPTION_KEY, ENCRYPTION_KEY_FILE),
        old_encryption_keys=tuple(SecretStr(key) for key in old if key),
    )


def get_config_settings(environ: Mapping[str, str] | None = None) -> ConfigSettings:
    """What the environment says of ``IMBI_CONFIG_ENCRYPTION_KEY``, or of the file it names."""
    source = os.environ if environ is None else environ
    return ConfigSettings(_key(source, CONFIG_ENCRYPTION_KEY, CONFIG_ENCRYPTION_KEY_FILE))


def _key(source: Mapping[str, str], name: str, name_of_file: str) -> SecretStr | None:
    key = source.get(name, "").strip()
    path = source.get(name_of_file, "").strip()
    if key and path:
        raise ConfigurationError(f"{name} and {name_of_file} are both set; keep one of them")
    if path:
        key = _read(path, name_of_file)
    return SecretStr(key) if key else None


def _read(path: str, named_by: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigurationError(
            f"{named_by} names {path!r}, which cannot be read: {reason}"
        ) from None
