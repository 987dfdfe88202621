"""Credentials out of the graph: every case, and every message by name."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet

from imbi_sdk import (
    PluginConfigurationConflict,
    PluginCredentialsMissing,
    PluginRecord,
    PluginRecordMissing,
    RegistryEntry,
    ServiceApplicationRecord,
    get_plugin_configuration_keys,
    get_plugin_credentials,
    patch_plugin_configuration,
)
from imbi_sdk.credentials import (
    credentials_from_application,
    credentials_from_record,
    uses_application,
)
from imbi_sdk.encryption import TokenEncryption

MakeEntry = Callable[..., RegistryEntry]


def sealed(content: object) -> str:
    """What stands in the graph for *content*; a text is taken as it is."""
    text = content if isinstance(content, str) else json.dumps(content)
    token = TokenEncryption.get_instance().encrypt(text)
    assert token is not None
    return token


def opened(token: str | None) -> Any:
    return json.loads(TokenEncryption.get_instance().decrypt(token) or "null")


def configured(graph: Any, configuration: str | None) -> None:
    graph.plugins["p1"] = PluginRecord("p1", "tickets", configuration)


def linked(graph: Any, client_id: str | None, client_secret: str | None) -> None:
    graph.applications["p1"] = ServiceApplicationRecord(client_id, client_secret)


class BrokenKeyStore(TokenEncryption):
    """A key store that fails as ours never does."""

    def decrypt(self, ciphertext: str | None) -> str | None:
        raise OSError(f"no answer for {ciphertext}")


@pytest.mark.parametrize(
    ("auth_type", "is_application"),
    [("api_token", False), ("aws-iam-ic", False), ("oauth2", True), ("oidc", True)],
)
async def test_the_auth_type_says_where_credentials_lie(
    graph: Any,
    key: str,
    make_entry: MakeEntry,
    *,
    canary: str,
    auth_type: str,
    is_application: bool,
) -> None:
    """Two types read the configuration, the other two the linked application."""
    configured(graph, sealed({"token": canary}))
    linked(graph, "imbi", sealed(canary))
    entry = make_entry(auth_type=auth_type)
    expected = (
        {"client_id": "imbi", "client_secret": canary} if is_application else {"token": canary}
    )
    assert uses_application(entry.manifest) is is_application
    assert await get_plugin_credentials(graph, "p1", entry) == expected


async def test_values_become_texts_and_nulls_are_left_out(
    graph: Any, key: str, make_entry: MakeEntry
) -> None:
    """Fields that the manifest does not declare are passed on as well."""
    configured(graph, sealed({"token": "t", "port": 8443, "note": None, "empty": ""}))
    found = await get_plugin_credentials(graph, "p1", make_entry(token=True, note=False))
    assert found == {"token": "t", "port": "8443", "empty": ""}


@pytest.mark.parametrize("stored", [{}, {"token": None}, {"token": ""}, {"other": "x"}])
async def test_a_required_credential_without_a_value_is_missing(
    graph: Any, key: str, make_entry: MakeEntry, stored: dict[str, Any]
) -> None:
    """Null and an empty text are no values; the message names plugin and fields."""
    configured(graph, sealed(stored))
    with pytest.raises(PluginCredentialsMissing) as raised:
        await get_plugin_credentials(graph, "p1", make_entry(token=True, user=True, note=False))
    assert (
        str(raised.value) == "Missing required credentials for plugin 'tickets': ['token', 'user']"
    )


@pytest.mark.parametrize("configuration", [None, ""])
@pytest.mark.parametrize("credentials", [{}, {"token": False}])
async def test_nothing_stored_and_nothing_required_is_fine(
    graph: Any,
    no_key: None,
    make_entry: MakeEntry,
    configuration: str | None,
    credentials: dict[str, bool],
) -> None:
    """No key is needed either: there is nothing to decrypt."""
    configured(graph, configuration)
    assert await get_plugin_credentials(graph, "p1", make_entry(**credentials)) == {}


async def test_a_plugin_without_a_node_has_no_credentials(
    graph: Any, key: str, make_entry: MakeEntry
) -> None:
    """That is fine while none is required."""
    assert await get_plugin_credentials(graph, "p1", make_entry(token=False)) == {}
    with pytest.raises(PluginCredentialsMissing, match="'tickets': \\['token'\\]"):
        await get_plugin_credentials(graph, "p1", make_entry(token=True))


async def test_something_stored_and_no_key_is_an_error(
    graph: Any, no_key: None, make_entry: MakeEntry
) -> None:
    """A worker without its key must not pass as one without credentials."""
    configured(graph, "gAAAAAB")
    with pytest.raises(RuntimeError, match="Encryption key not configured"):
        await get_plugin_credentials(graph, "p1", make_entry(token=False))


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        ("canary-4f1d-do-not-leak {", "JSON parse failed"),
        ('["canary-4f1d-do-not-leak"]', "JSON parse failed"),
    ],
)
async def test_a_configuration_that_is_no_object_counts_as_empty(
    graph: Any,
    key: str,
    make_entry: MakeEntry,
    *,
    caplog: pytest.LogCaptureFixture,
    canary: str,
    content: str,
    warning: str,
) -> None:
    """The warning says so under Imbi's logger name, without the content."""
    configured(graph, sealed(content))
    assert await get_plugin_credentials(graph, "p1", make_entry()) == {}
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("imbi_common.plugins.credentials", logging.WARNING)
    assert warning in record.getMessage()
    assert canary not in caplog.text


async def test_a_configuration_under_another_key_counts_as_empty(
    graph: Any, key: str, make_entry: MakeEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning says which plugin's."""
    configured(graph, TokenEncryption(Fernet.generate_key()).encrypt('{"token": "t"}'))
    assert await get_plugin_credentials(graph, "p1", make_entry()) == {}
    assert "decrypt failed for plugin tickets" in caplog.text


def test_a_key_store_that_raises_counts_as_empty(
    key: str, make_entry: MakeEntry, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    """Its error is named by its class: its text may hold the token."""
    record = PluginRecord("p1", "tickets", canary)
    assert credentials_from_record(record, make_entry(), BrokenKeyStore(key)) == {}
    assert "decrypt failed for plugin tickets: OSError" in caplog.text
    assert canary not in caplog.text


def test_a_record_can_be_opened_without_the_graph(make_entry: MakeEntry, canary: str) -> None:
    """A cache keeps ciphertext only and opens it with a key of its own."""
    encryption = TokenEncryption(Fernet.generate_key())
    record = PluginRecord("p1", "tickets", encryption.encrypt(json.dumps({"token": canary})))
    assert credentials_from_record(record, make_entry(token=True), encryption) == {"token": canary}


async def test_an_application_that_is_not_linked_is_missing(
    graph: Any, make_entry: MakeEntry
) -> None:
    """The message says where to link one."""
    with pytest.raises(
        PluginCredentialsMissing,
        match=r"is not linked to a ServiceApplication; pick one on the Plugins tab$",
    ):
        await get_plugin_credentials(graph, "p1", make_entry(auth_type="oauth2"))


@pytest.mark.parametrize(("client_id", "client_secret"), [(None, "x"), ("x", None), (None, None)])
async def test_an_application_needs_both_its_values(
    graph: Any, make_entry: MakeEntry, client_id: str | None, client_secret: str | None
) -> None:
    """Either of them null is the same lack."""
    linked(graph, client_id, client_secret)
    with pytest.raises(PluginCredentialsMissing, match=r"is missing client_id or client_secret$"):
        await get_plugin_credentials(graph, "p1", make_entry(auth_type="oidc"))


@pytest.mark.parametrize("is_empty", [True, False])
async def test_an_application_secret_that_opens_to_nothing_is_none(
    graph: Any, key: str, make_entry: MakeEntry, *, is_empty: bool
) -> None:
    """An empty secret and one under another key end alike."""
    other = TokenEncryption(Fernet.generate_key()).encrypt("x")
    linked(graph, "imbi", sealed("") if is_empty else other)
    with pytest.raises(PluginCredentialsMissing, match=r"has no client_secret$"):
        await get_plugin_credentials(graph, "p1", make_entry(auth_type="oauth2"))


def test_an_application_secret_whose_key_store_raises_is_told(
    key: str, make_entry: MakeEntry, canary: str
) -> None:
    """The cause is chained, the message quotes nothing of it."""
    application = ServiceApplicationRecord("imbi", canary)
    with pytest.raises(
        PluginCredentialsMissing, match=r"has a client_secret that could not be decrypted$"
    ) as raised:
        credentials_from_application(
            application, make_entry(auth_type="oauth2"), BrokenKeyStore(key)
        )
    assert isinstance(raised.value.__cause__, OSError)
    assert canary not in str(raised.value)


def test_records_show_no_secret(canary: str) -> None:
    """Not even ciphertext belongs into a log line."""
    record = PluginRecord("p1", "tickets", canary, {"token": canary})
    assert canary not in f"{record!r} {ServiceApplicationRecord(canary, canary)!r}"
    assert "'p1'" in repr(record)


async def test_the_keys_of_a_configuration_are_those_with_a_value(graph: Any, key: str) -> None:
    """Names only; a field that was emptied is not set."""
    configured(graph, sealed({"token": "t", "user": "", "note": None}))
    assert await get_plugin_configuration_keys(graph, "p1") == ["token"]
    assert await get_plugin_configuration_keys(graph, "unknown") == []


async def test_an_unreadable_configuration_has_no_keys(
    graph: Any, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The page stays usable, and the log says why it is empty."""
    configured(graph, "gAAAAAB")
    assert await get_plugin_configuration_keys(graph, "p1") == []
    assert "plugin_configuration unreadable for plugin_id=p1; reporting no keys" in caplog.text


async def test_a_patch_sets_removes_and_keeps(graph: Any, key: str) -> None:
    """None and an empty text remove; a field that is not named stays."""
    configured(graph, sealed({"token": "old", "user": "ada", "note": "x", "kept": "k"}))
    updates = {"token": "new", "user": None, "note": "", "added": "a", "unknown": None}
    assert await patch_plugin_configuration(graph, "p1", updates) == ["kept", "token", "added"]
    assert opened(graph.plugins["p1"].configuration) == {"kept": "k", "token": "new", "added": "a"}


@pytest.mark.parametrize("configuration", [None, ""])
async def test_a_patch_begins_a_configuration(
    graph: Any, key: str, canary: str, configuration: str | None
) -> None:
    """What is written is ciphertext."""
    configured(graph, configuration)
    assert await patch_plugin_configuration(graph, "p1", {"token": canary}) == ["token"]
    written = graph.plugins["p1"].configuration
    assert canary not in written
    assert opened(written) == {"token": canary}


async def test_a_patch_of_no_plugin_is_an_error(graph: Any, key: str) -> None:
    """Nothing may be reported as stored that is not."""
    with pytest.raises(PluginRecordMissing, match="no Plugin node with id 'p1'"):
        await patch_plugin_configuration(graph, "p1", {"token": "t"})
    assert graph.writes == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "plugin_configuration decrypted to None"),
        ("canary-4f1d-do-not-leak", "plugin_configuration is not valid JSON"),
        ("[" * 100_000, "plugin_configuration is not valid JSON"),
        ('["canary-4f1d-do-not-leak"]', "plugin_configuration must be a JSON object"),
    ],
)
async def test_a_patch_overwrites_nothing_it_cannot_read(
    graph: Any, key: str, canary: str, content: str | None, message: str
) -> None:
    """The message says what is wrong and quotes nothing."""
    before = "gAAAAAB" if content is None else sealed(content)
    configured(graph, before)
    with pytest.raises(ValueError, match=f"^{message}") as raised:
        await patch_plugin_configuration(graph, "p1", {"token": "t"})
    assert graph.plugins["p1"].configuration == before
    assert canary not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


async def test_a_patch_under_a_failing_key_store_is_refused(
    graph: Any, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure of the key store is told apart from a wrong key."""
    configured(graph, "gAAAAAB")
    monkeypatch.setattr(TokenEncryption, "_instance", BrokenKeyStore(key))
    with pytest.raises(ValueError, match="plugin_configuration could not be decrypted"):
        await patch_plugin_configuration(graph, "p1", {"token": "t"})


async def test_a_patch_loses_no_other_writers_change(graph: Any, key: str) -> None:
    """Overtaken, it reads again and writes on top of what it finds."""
    configured(graph, sealed({"a": "1"}))
    graph.rivals = [sealed({"a": "1", "b": "2"}), sealed({"a": "1", "b": "2", "c": "3"})]
    assert await patch_plugin_configuration(graph, "p1", {"d": "4"}) == ["a", "b", "c", "d"]
    assert opened(graph.plugins["p1"].configuration) == {"a": "1", "b": "2", "c": "3", "d": "4"}


async def test_a_patch_gives_up_when_others_are_always_faster(graph: Any, key: str) -> None:
    """It is bounded, and the others' last word stands."""
    configured(graph, None)
    graph.rivals = [sealed({"n": str(n)}) for n in range(50)]
    with pytest.raises(PluginConfigurationConflict, match="try again"):
        await patch_plugin_configuration(graph, "p1", {"token": "t"})
    assert graph.writes == 0
    assert len(graph.rivals) == 45
