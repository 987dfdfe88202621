"""A station at an empty Redis, and the settings that lead the CLI there."""

import os

import pytest
from station import SIGNING_KEY, Station

from imbi_sdk.encryption import TokenEncryption


@pytest.fixture
def station(redis_url: str, encryption_key: str, monkeypatch: pytest.MonkeyPatch) -> Station:
    for name in list(os.environ):
        if name.startswith(("IMBI_", "NEO4J_", "ACTIONS_", "REDIS_", "VALKEY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("IMBI_WORKER_SIGNING_KEY", SIGNING_KEY)
    monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", encryption_key)
    TokenEncryption.reset_instance()
    return Station(redis_url)
