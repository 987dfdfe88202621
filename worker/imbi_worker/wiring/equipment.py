"""What an action needs before it can run: its plugin, and the key of stored secrets."""

from collections.abc import Sequence
from datetime import timedelta

import imbi_sdk
from imbi_sdk.encryption import TokenEncryption
from imbi_worker import builtin
from imbi_worker.settings import SettingsError

_IMPORT_TIMEOUT = timedelta(seconds=30)


def load(
    extra: Sequence[type] = (), *, within: timedelta = _IMPORT_TIMEOUT
) -> "imbi_sdk.LoadResult":
    """All installed plugins, the built-in ones and *extra* last; each has *within* to load.

    :raises PluginSchemaCollisionError: two plugins declare the same label differently
    """
    return imbi_sdk.load_plugins(builtins=(*builtin.BUILTINS, *extra), within=within)


def require_encryption_key() -> None:
    """:raises SettingsError: no key, or one that is none; nothing is ever made up."""
    TokenEncryption.reset_instance()
    try:
        TokenEncryption.get_instance()
    except (RuntimeError, ValueError) as error:
        raise SettingsError(
            f"IMBI_AUTH_ENCRYPTION_KEY: {error}; it must be the Fernet key of Imbi's other services"
        ) from None
