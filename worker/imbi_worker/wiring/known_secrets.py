"""The process's own secrets, made known to what masks them."""

from imbi_sdk.attempt import Redactor
from imbi_sdk.settings import get_auth_settings
from imbi_worker.settings import Settings


def know_secrets(redactor: Redactor, settings: Settings) -> None:
    """Keep keys, passwords and tokens of this process out of all that passes *redactor*."""
    keys = get_auth_settings()
    redactor.register(settings.secret_values)
    redactor.register(
        key.get_secret_value()
        for key in (keys.encryption_key, *keys.old_encryption_keys)
        if key is not None
    )
