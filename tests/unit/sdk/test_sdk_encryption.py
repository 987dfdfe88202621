"""Encryption of stored credentials, and where its keys come from."""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from imbi_sdk import settings
from imbi_sdk.encryption import (
    ConfigEncryption,
    TokenEncryption,
    decrypt_token,
    encrypt_token,
    get_fernet,
)
from imbi_sdk.errors import ConfigurationError
from imbi_sdk.settings import AuthSettings, get_auth_settings, get_config_settings


def test_what_is_encrypted_can_be_decrypted(canary: str) -> None:
    """A text comes back, and its token does not show it."""
    encryption = TokenEncryption(Fernet.generate_key())
    token = encryption.encrypt(canary)
    assert token is not None
    assert canary not in token
    assert encryption.decrypt(token) == canary


def test_none_stays_none() -> None:
    """A value that is not set needs no key."""
    encryption = TokenEncryption(Fernet.generate_key())
    assert encryption.encrypt(None) is None
    assert encryption.decrypt(None) is None


def test_old_keys_decrypt_and_never_encrypt(canary: str) -> None:
    """After a change of keys both kinds of tokens open; new ones need the new key."""
    old, new = Fernet.generate_key(), Fernet.generate_key()
    before = TokenEncryption(old).encrypt(canary)
    changed = TokenEncryption(new, [old])
    after = changed.encrypt(canary)
    assert changed.decrypt(before) == canary
    assert TokenEncryption(new).decrypt(after) == canary
    assert TokenEncryption(old).decrypt(after) is None


@pytest.mark.parametrize("is_old", [False, True])
def test_tokens_of_old_releases_are_read(canary: str, *, is_old: bool) -> None:
    """Those were base64-encoded once more; an old key opens them too."""
    key, other = Fernet.generate_key(), Fernet.generate_key()
    legacy = base64.urlsafe_b64encode(Fernet(key).encrypt(canary.encode())).decode()
    encryption = TokenEncryption(other, [key]) if is_old else TokenEncryption(key)
    assert encryption.decrypt(legacy) == canary


@pytest.mark.parametrize("token", ["", "nonsense", "gAAAAAB", "é", "a" * 5000, "=", "\ud800"])
def test_decrypting_never_raises(token: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is stored, the answer is None and a warning without the token."""
    assert TokenEncryption(Fernet.generate_key()).decrypt(token) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].getMessage() == "Failed to decrypt a token: no configured key opens it"


def test_the_wrong_key_gives_none(canary: str) -> None:
    """A key that was changed without the old one kept is no crash."""
    token = TokenEncryption(Fernet.generate_key()).encrypt(canary)
    assert TokenEncryption(Fernet.generate_key()).decrypt(token) is None


@pytest.mark.parametrize("key", ["canary-4f1d-do-not-leak", "", "é"])
def test_a_wrong_key_is_refused_without_being_shown(key: str) -> None:
    """The message says what a key looks like; neither it nor its cause quotes the key."""
    with pytest.raises(ValueError, match=r"^Invalid encryption key") as raised:
        TokenEncryption(key)
    assert not key or key not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_there_is_one_instance_until_it_is_reset(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are read at the first call and after a reset."""
    first = TokenEncryption.get_instance()
    monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", Fernet.generate_key().decode())
    assert TokenEncryption.get_instance() is first
    TokenEncryption.reset_instance()
    assert TokenEncryption.get_instance() is not first


def test_old_keys_come_from_the_environment_too(
    key: str, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comma separates them; blanks do no harm."""
    token = TokenEncryption.get_instance().encrypt(canary)
    monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv(
        "IMBI_WORKER_OLD_ENCRYPTION_KEYS", f" {Fernet.generate_key().decode()}, {key} ,"
    )
    TokenEncryption.reset_instance()
    assert TokenEncryption.get_instance().decrypt(token) == canary


def test_no_key_is_an_error_that_names_the_variable(no_key: None) -> None:
    """No key is ever made up: whatever it encrypted would be lost."""
    with pytest.raises(RuntimeError, match=r"^Encryption key not configured.*_ENCRYPTION_KEY$"):
        TokenEncryption.get_instance()


def test_whether_the_key_is_usable_can_be_asked(key: str) -> None:
    """A health check needs a yes."""
    assert TokenEncryption.is_usable()


def test_a_missing_or_wrong_key_is_not_usable(
    no_key: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A health check gets a no, not an error."""
    assert not TokenEncryption.is_usable()
    monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", "short")
    assert not TokenEncryption.is_usable()
    monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY_FILE", "/nowhere")
    assert not TokenEncryption.is_usable()


def test_an_empty_environment_gives_no_keys() -> None:
    """Nothing is generated, and blank values are none."""
    for environ in ({}, {"IMBI_AUTH_ENCRYPTION_KEY": " ", "IMBI_WORKER_OLD_ENCRYPTION_KEYS": " ,"}):
        settings = get_auth_settings(environ)
        assert settings.encryption_key is None
        assert settings.old_encryption_keys == ()


def test_keys_show_in_no_repr(canary: str) -> None:
    """Settings may be logged."""
    settings = get_auth_settings(
        {"IMBI_AUTH_ENCRYPTION_KEY": canary, "IMBI_WORKER_OLD_ENCRYPTION_KEYS": canary}
    )
    assert settings.encryption_key is not None
    assert settings.encryption_key.get_secret_value() == canary
    assert canary not in repr(settings)


def test_the_key_may_stand_in_a_file(tmp_path: Path, canary: str) -> None:
    """The line end that editors and secret stores add is no part of it."""
    path = tmp_path / "key"
    path.write_text(f"{canary}\n")
    settings = get_auth_settings({"IMBI_AUTH_ENCRYPTION_KEY_FILE": str(path)})
    assert settings.encryption_key is not None
    assert settings.encryption_key.get_secret_value() == canary


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The error names the variable, the path and the reason."""
    with pytest.raises(ConfigurationError, match=r"KEY_FILE names .*nowhere.*No such file"):
        get_auth_settings({"IMBI_AUTH_ENCRYPTION_KEY_FILE": str(tmp_path / "nowhere")})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigurationError, match="no UTF-8 text"):
        get_auth_settings({"IMBI_AUTH_ENCRYPTION_KEY_FILE": str(tmp_path / "binary")})


def test_a_key_and_a_file_are_one_too_many(canary: str) -> None:
    """Which of the two would count is not guessed."""
    with pytest.raises(ConfigurationError, match="both set") as raised:
        get_auth_settings(
            {"IMBI_AUTH_ENCRYPTION_KEY": canary, "IMBI_AUTH_ENCRYPTION_KEY_FILE": "/run/key"}
        )
    assert canary not in str(raised.value)


@pytest.fixture
def config_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A key for Imbi's own configuration in the environment, and an instance that begins anew."""
    generated = Fernet.generate_key().decode()
    monkeypatch.setenv("IMBI_CONFIG_ENCRYPTION_KEY", generated)
    monkeypatch.delenv("IMBI_CONFIG_ENCRYPTION_KEY_FILE", raising=False)
    ConfigEncryption.reset_instance()
    yield generated
    ConfigEncryption.reset_instance()


def test_imbis_configuration_has_a_key_of_its_own(key: str, config_key: str, canary: str) -> None:
    """What one opens the other does not; None stays None."""
    config = ConfigEncryption.get_instance()
    assert config is ConfigEncryption.get_instance()
    token = config.encrypt(canary)
    assert token is not None
    assert canary not in token
    assert config.decrypt(token) == ConfigEncryption(config_key).decrypt(token) == canary
    assert TokenEncryption.get_instance().decrypt(token) is None
    assert config.encrypt(None) is config.decrypt(None) is None


@pytest.mark.parametrize("token", ["", "nonsense", "é", "\ud800"])
def test_config_that_cannot_be_opened_is_none(
    config_key: str, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And a warning; it never raises."""
    assert ConfigEncryption.get_instance().decrypt(token) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_without_a_config_key_its_variable_is_named(
    key: str, config_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other key does not stand in for it, and none is made up."""
    monkeypatch.delenv("IMBI_CONFIG_ENCRYPTION_KEY")
    with pytest.raises(RuntimeError, match=r"not configured; set IMBI_CONFIG_ENCRYPTION_KEY"):
        ConfigEncryption.get_instance()


def test_a_config_key_may_stand_in_a_file(
    config_key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not in both places."""
    (tmp_path / "key").write_text(config_key + "\n")
    monkeypatch.setenv("IMBI_CONFIG_ENCRYPTION_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ConfigurationError, match="IMBI_CONFIG_ENCRYPTION_KEY_FILE are both set"):
        get_config_settings()
    monkeypatch.delenv("IMBI_CONFIG_ENCRYPTION_KEY")
    found = get_config_settings().encryption_key
    assert found is not None
    assert found.get_secret_value() == config_key


def test_the_functions_beside_the_class_speak_the_same_tokens(key: str, canary: str) -> None:
    """But an unreadable token raises there, as in Imbi."""
    token = encrypt_token(canary)
    assert canary not in token
    assert TokenEncryption.get_instance().decrypt(token) == canary
    assert decrypt_token(token) == get_fernet().decrypt(token.encode()).decode() == canary
    with pytest.raises(InvalidToken):
        decrypt_token("nonsense")


def test_the_functions_take_settings(key: str, canary: str) -> None:
    """Those in use when none are given; old keys decrypt there too."""
    old, new = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
    token = encrypt_token(canary, AuthSettings(old))
    assert decrypt_token(token, AuthSettings(new, (old,))) == canary
    with pytest.raises(InvalidToken):
        decrypt_token(token)
    with pytest.raises(RuntimeError, match="IMBI_AUTH_ENCRYPTION_KEY"):
        get_fernet(AuthSettings())


@pytest.mark.parametrize("as_secret", [False, True])
def test_settings_put_in_place_of_ours_are_the_ones_in_use(
    key: str, canary: str, monkeypatch: pytest.MonkeyPatch, *, as_secret: bool
) -> None:
    """Hosts' tests do so, with an object that has the key alone, as Imbi's own settings."""
    other = Fernet.generate_key().decode()
    made_up = SimpleNamespace(encryption_key=SecretStr(other) if as_secret else other)
    monkeypatch.setattr(settings, "get_auth_settings", lambda: made_up)
    TokenEncryption.reset_instance()
    token = TokenEncryption.get_instance().encrypt(canary)
    assert TokenEncryption(other).decrypt(token) == decrypt_token(str(token)) == canary
