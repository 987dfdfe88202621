"""Settings: what the environment says, and a clear word when it says it wrongly."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from imbi_worker.settings import Settings, SettingsError, variables_of


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        for name in variables_of(field):
            monkeypatch.delenv(name, raising=False)


def test_nothing_set_gives_the_defaults() -> None:
    settings = Settings.load()
    assert settings.redis_url is None
    assert settings.queue == "imbi:queue"
    assert settings.lease == timedelta(seconds=15)
    assert settings.backoff[0] == timedelta(seconds=10)
    assert settings.signing_keys == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("7", timedelta(seconds=7)),
        ("1.5s", timedelta(seconds=1.5)),
    ],
)
def test_durations(text: str, expected: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBI_WORKER_LEASE", text)
    assert Settings.load().lease == expected


def test_timeouts_by_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBI_WORKER_TIMEOUTS", "github#sync=10m, sonarqube#update=45s")
    assert Settings.load().timeouts == {
        "github#sync": timedelta(minutes=10),
        "sonarqube#update": timedelta(seconds=45),
    }


def test_policies_by_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "IMBI_WORKER_POLICIES",
        '{"github#sync": {"max_attempts": 3, "backoff": ["5s", "1m"], "max_age": "1h"}}',
    )
    policy = Settings.load().policies["github#sync"]
    assert policy.max_attempts == 3
    assert policy.backoff == (timedelta(seconds=5), timedelta(minutes=1))
    assert policy.max_age == timedelta(hours=1)


def test_the_first_signing_key_signs_and_all_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBI_WORKER_SIGNING_KEY", "new-key-0123456789, old-key-0123456789")
    keys = [key.get_secret_value() for key in Settings.load().signing_keys]
    assert keys == ["new-key-0123456789", "old-key-0123456789"]


@pytest.mark.parametrize("name", ["REDIS_URL", "VALKEY_URL"])
def test_redis_has_two_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "valkey://here")
    url = Settings.load().redis_url
    assert url is not None
    assert url.get_secret_value() == "valkey://here"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("IMBI_WORKER_LEASE", "soon", "IMBI_WORKER_LEASE: write a duration like 500ms"),
        ("IMBI_WORKER_LEASE", "-1s", "IMBI_WORKER_LEASE: write a duration"),
        ("IMBI_WORKER_LEASE", "99999999999d", "IMBI_WORKER_LEASE: this is longer than anything"),
        ("IMBI_WORKER_LEASE", "0s", "IMBI_WORKER_LEASE: Input should be greater than"),
        ("IMBI_WORKER_CONCURRENCY", "0", "IMBI_WORKER_CONCURRENCY: Input should be greater"),
        ("IMBI_WORKER_CONCURRENCY", "many", "IMBI_WORKER_CONCURRENCY: Input should be a valid"),
        ("IMBI_WORKER_LANE", "delivery", "IMBI_WORKER_LANE: Input should be 'plugin'"),
        ("IMBI_WORKER_TIMEOUTS", "github#sync", "IMBI_WORKER_TIMEOUTS: write <plugin>#<action>="),
        ("IMBI_WORKER_TIMEOUTS", "a#b=x", r"IMBI_WORKER_TIMEOUTS\[a#b\]: write a duration"),
        ("IMBI_WORKER_POLICIES", "{", "IMBI_WORKER_POLICIES: write a JSON object like"),
        (
            "IMBI_WORKER_POLICIES",
            '{"a#b": {"attempts": 1}}',
            r"IMBI_WORKER_POLICIES\[a#b\]\[attempts\]: Extra inputs",
        ),
        ("IMBI_WORKER_BACKOFF", "1s,x", r"IMBI_WORKER_BACKOFF\[1\]: write a duration"),
        (
            "IMBI_WORKER_LEAS",
            "15s",
            "IMBI_WORKER_LEAS is no setting .* did you mean",
        ),
        ("IMBI_WORKER_ZZZZZZZZZZZ", "1", "IMBI_WORKER_ZZZZZZZZZZZ is no setting of imbi-worker"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        Settings.load()


def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("a-key-from-a-file-0123\n")
    monkeypatch.setenv("IMBI_WORKER_SIGNING_KEY_FILE", str(file))
    [key] = Settings.load().signing_keys
    assert key.get_secret_value() == "a-key-from-a-file-0123"


def test_an_empty_file_sets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an empty variable: there may be no token of Imbi's API, and its file all the same."""
    file = tmp_path / "token"
    file.write_text("\n")
    monkeypatch.setenv("ACTIONS_IMBI_TOKEN_FILE", str(file))
    assert Settings.load().actions_imbi_token is None


def test_a_secret_from_two_places_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", "one")
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(tmp_path / "other"))
    with pytest.raises(SettingsError, match="NEO4J_PASSWORD and NEO4J_PASSWORD_FILE are both set"):
        Settings.load()


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"REDIS_URL_FILE names .*No such file"):
        Settings.load()


def test_no_secret_stands_in_a_repr_or_an_error(
    canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://:{canary}@host")
    monkeypatch.setenv("IMBI_WORKER_SIGNING_KEY", canary)
    monkeypatch.setenv("NEO4J_PASSWORD", canary)
    monkeypatch.setenv("ACTIONS_IMBI_TOKEN", canary)
    assert canary not in repr(Settings.load())
    monkeypatch.setenv("IMBI_WORKER_CONCURRENCY", canary)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert canary not in str(caught.value)
    assert caught.value.__cause__ is None


def test_every_secret_of_the_process_is_known_by_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key of a list, of an address the password alone: its host is no secret."""
    given = {
        "REDIS_URL": "redis://me:pass%2Fword@redis.example:6379/0?password=in-query",
        "NEO4J_URL": "bolt://neo:in-address@graph.example:7687",
        "NEO4J_PASSWORD": "graph-password",
        "IMBI_WORKER_SIGNING_KEY": "first-key, second-key",
        "ACTIONS_IMBI_TOKEN": "imbi-token",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = set(Settings.load().secret_values)
    expected = {"pass%2Fword", "pass/word", "in-query", "in-address", "graph-password"}
    assert {*expected, "first-key", "second-key", "imbi-token"} <= found
    assert not any("example" in value for value in found)


def test_every_setting_that_is_a_secret_is_among_the_secret_values() -> None:
    """A new one cannot be forgotten."""
    for name, field in Settings.model_fields.items():
        if "SecretStr" in str(field.annotation):
            settings = Settings(**{name: SecretStr("a secret of mine")})
            assert "a secret of mine" in settings.secret_values
