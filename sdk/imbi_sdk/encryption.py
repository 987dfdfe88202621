"""Fernet encryption of stored credentials, with keys that can be replaced."""

import base64
import logging
from collections.abc import Sequence
from typing import ClassVar, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from imbi_sdk.errors import ConfigurationError
from imbi_sdk.settings import ENCRYPTION_KEY, get_auth_settings

_LOGGER = logging.getLogger("imbi_common.auth.encryption")
_PROBE = "can this key be used?"


class TokenEncryption:
    """Encrypts with *encryption_key*; decrypts with it and then with each of *old_keys*."""

    _instance: ClassVar["TokenEncryption | None"] = None

    def __init__(
        self,
        encryption_key: str | bytes | SecretStr,
        old_keys: Sequence[str | bytes | SecretStr] = (),
    ) -> None:
        self._fernet = MultiFernet([_fernet(encryption_key), *(_fernet(old) for old in old_keys)])

    @classmethod
    def get_instance(cls) -> "TokenEncryption":
        """The one instance of the process, made from the settings at the first call."""
        if TokenEncryption._instance is None:
            TokenEncryption._instance = cls._from_settings()
        return TokenEncryption._instance

    @classmethod
    def reset_instance(cls) -> None:
        """Forget the instance; the next one reads the settings again."""
        TokenEncryption._instance = None

    @classmethod
    def is_usable(cls) -> bool:
        """Whether the settings hold a key that works. Never raises; for health checks."""
        try:
            encryption = cls.get_instance()
        except (ConfigurationError, RuntimeError, ValueError):
            return False
        return encryption.decrypt(encryption.encrypt(_PROBE)) == _PROBE

    @classmethod
    def _from_settings(cls) -> Self:
        settings = get_auth_settings()
        if settings.encryption_key is None:
            raise RuntimeError(f"Encryption key not configured; set {ENCRYPTION_KEY}")
        return cls(settings.encryption_key, settings.old_encryption_keys)

    def encrypt(self, plaintext: str | None) -> str | None:
        """The token of a text; None stays None."""
        if plaintext is None:
            return None
        return self._fernet.encrypt(plaintext.encode()).decode("ascii")

    def decrypt(self, ciphertext: str | None) -> str | None:
        """The text of a token, or None with a warning when no key opens it.

        Never raises. Tokens that were base64-encoded once more, as old releases
        of Imbi wrote them, are read too.
        """
        if ciphertext is None:
            return None
        try:
            return self._open(ciphertext).decode()
        except (InvalidToken, ValueError):
            _LOGGER.warning("Failed to decrypt a token: no configured key opens it")
            return None

    def _open(self, ciphertext: str) -> bytes:
        raw = ciphertext.encode()
        try:
            return self._fernet.decrypt(raw)
        except InvalidToken:
            return self._fernet.decrypt(base64.urlsafe_b64decode(raw))


def _fernet(key: str | bytes | SecretStr) -> Fernet:
    plain = key.get_secret_value() if isinstance(key, SecretStr) else key
    try:
        return Fernet(plain)
    except ValueError:
        # Neither the key nor the library's error may show: it can quote the key.
        raise ValueError("Invalid encryption key: it must be 32 bytes in url-safe base64") from None
