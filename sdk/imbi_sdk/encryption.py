"""Fernet encryption of stored secrets, with keys that can be replaced."""

import base64
import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self, TypeAlias

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

# As a module: hosts' tests put another ``get_auth_settings`` there, and it must be seen.
from imbi_sdk import settings
from imbi_sdk.errors import ConfigurationError

Key: TypeAlias = str | bytes | SecretStr

_LOGGER = logging.getLogger("imbi_common.auth.encryption")
_PROBE = "can this key be used?"


class TokenEncryption:
    """Encrypts with *encryption_key*; decrypts with it and then with each of *old_keys*."""

    _instance: ClassVar["TokenEncryption | None"] = None

    def __init__(self, encryption_key: Key, old_keys: Sequence[Key] = ()) -> None:
        self._fernet = _fernets([encryption_key, *old_keys])

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
    @contextmanager
    def replaced_by(cls, encryption: "TokenEncryption") -> Generator["TokenEncryption"]:
        """*encryption* as the one instance for the length of the block; for tests."""
        before, TokenEncryption._instance = TokenEncryption._instance, encryption
        try:
            yield encryption
        finally:
            TokenEncryption._instance = before

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
        return cls(*_auth_keys(settings.get_auth_settings()))

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


class ConfigEncryption:
    """Encrypts what Imbi stores of its own configuration; it has a key of its own.

    Plugins' credentials are not under this key, and the worker never asks for it.
    """

    _instance: ClassVar["ConfigEncryption | None"] = None

    def __init__(self, encryption_key: Key) -> None:
        self._fernet = _fernet(encryption_key)

    @classmethod
    def get_instance(cls) -> "ConfigEncryption":
        """The one instance of the process, made from the settings at the first call."""
        if ConfigEncryption._instance is None:
            key = settings.get_config_settings().encryption_key
            ConfigEncryption._instance = cls(_required(key, settings.CONFIG_ENCRYPTION_KEY))
        return ConfigEncryption._instance

    @classmethod
    def reset_instance(cls) -> None:
        """Forget the instance; the next one reads the settings again."""
        ConfigEncryption._instance = None

    def encrypt(self, plaintext: str | None) -> str | None:
        """The token of a text; None stays None."""
        return None if plaintext is None else self._fernet.encrypt(plaintext.encode()).decode()

    def decrypt(self, ciphertext: str | None) -> str | None:
        """The text of a token, or None with a warning when the key does not open it."""
        if ciphertext is None:
            return None
        try:
            return self._fernet.decrypt(ciphertext.encode()).decode()
        except (InvalidToken, ValueError):
            _LOGGER.warning("Failed to decrypt a config value: the configured key does not open it")
            return None


def get_fernet(auth_settings: settings.AuthSettings | None = None) -> MultiFernet:
    """What opens and makes tokens under *auth_settings*, or under those in use."""
    key, old = _auth_keys(auth_settings or settings.get_auth_settings())
    return _fernets([key, *old])


def encrypt_token(plaintext: str, auth_settings: settings.AuthSettings | None = None) -> str:
    """The token of a text."""
    return get_fernet(auth_settings).encrypt(plaintext.encode()).decode("ascii")


def decrypt_token(ciphertext: str, auth_settings: settings.AuthSettings | None = None) -> str:
    """The text of a token. Other than ``TokenEncryption`` it raises when no key opens it."""
    return get_fernet(auth_settings).decrypt(ciphertext.encode()).decode()


def _auth_keys(found: Any) -> tuple[Key, tuple[Key, ...]]:
    # Settings that a host's test made up, or Imbi's own, know no old keys.
    old: Iterable[Key] = getattr(found, "old_encryption_keys", ())
    return _required(found.encryption_key, settings.ENCRYPTION_KEY), tuple(old)


def _required(key: Key | None, variable: str) -> Key:
    if not key:
        raise RuntimeError(f"Encryption key not configured; set {variable}")
    return key


def _fernets(keys: Iterable[Key]) -> MultiFernet:
    return MultiFernet([_fernet(key) for key in keys])


def _fernet(key: Key) -> Fernet:
    plain = key.get_secret_value() if isinstance(key, SecretStr) else key
    try:
        return Fernet(plain)
    except ValueError:
        # Neither the key nor the library's error may show: it can quote the key.
        raise ValueError("Invalid encryption key: it must be 32 bytes in url-safe base64") from None
