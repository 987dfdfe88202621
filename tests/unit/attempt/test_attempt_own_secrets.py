"""Secrets that a job brings itself are known while it runs."""

import json
from typing import Any

import pytest

from imbi_sdk.attempt.own_secrets import secrets_in_config, secrets_in_headers


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"api_token": "abc"}, {"abc"}),
        ({"url": "https://host", "apiKey": 123456}, {"123456"}),
        ({"auth": {"password": {"old": ["a", None, True], "new": "b"}}}, {"a", "b"}),
        ([{"name": "x", "secret": "y"}], {"y"}),
        ({"token": None, "keys": ["a"], "path": "/token"}, set()),
        ("token", set()),
    ],
)
def test_what_stands_below_a_telling_name_is_a_secret(config: Any, found: set[str]) -> None:
    """At any depth; a text that merely speaks of one is none."""
    assert set(secrets_in_config(json.dumps(config))) == found


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "NaN", '{"token": "a"'])
def test_a_text_that_is_no_json_has_none(text: str) -> None:
    """Whoever validates it says so."""
    assert secrets_in_config(text) == ()


def test_a_large_config_is_read_and_not_remembered() -> None:
    """A rule may hold a whole template."""
    text = json.dumps({"template": "x" * 100_000, "token": "abc"})
    assert secrets_in_config(text) == ("abc",)


def test_headers_that_prove_a_sender_are_secrets(canary: str) -> None:
    """With their scheme and without; those the gateway has taken out already are not."""
    headers = {
        "Authorization": f"Bearer {canary}",
        "x-api-key": "another one",
        "cookie": "[redacted]",
        "x-github-event": "push",
        "x-odd-token": 7,
    }
    found = set(secrets_in_headers({"metadata": {"headers": headers}}))
    assert found == {f"Bearer {canary}", canary, "another one", "one"}


@pytest.mark.parametrize("event", [{}, [], None, {"metadata": []}, {"metadata": {"headers": 1}}])
def test_what_is_no_event_context_has_none(event: Any) -> None:
    """An action that takes the raw body is given anything."""
    assert secrets_in_headers(event) == ()
