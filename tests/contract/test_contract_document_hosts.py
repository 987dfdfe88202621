"""The plugin contract, section 2: credentials and encryption.

One entry for each fact of the document; sections and words are its own. Where the
gateway and the reference page differ (2.2), the page counts.
"""

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from contract_fact import Fact, holds, refuses, table
from cryptography.fernet import Fernet

from imbi_sdk import (
    CredentialField,
    PluginCredentialsMissing,
    PluginManifest,
    PluginRecordMissing,
    RegistryEntry,
    WebhookActionPlugin,
    get_plugin_configuration_keys,
    get_plugin_credentials,
    patch_plugin_configuration,
)
from imbi_sdk.encryption import ConfigEncryption, TokenEncryption, decrypt_token, encrypt_token
from imbi_sdk.testing.graph import FakeGraph

CANARY = "canary-4f1d-do-not-leak"
AuthType = Literal["api_token", "oauth2", "oidc", "aws-iam-ic"]


@dataclass
class Desk:
    """A graph with the plugin ``p``, a key in the environment, a log."""

    caplog: pytest.LogCaptureFixture
    monkeypatch: pytest.MonkeyPatch
    graph: FakeGraph = field(default_factory=FakeGraph)

    def store(self, blob: str | None, application: tuple[Any, Any] | None = None) -> None:
        """The plugin with this blob, linked to an application (client_id, client_secret)."""
        self.graph.add_plugin("p", "sonar", ciphertext=blob)
        if application:
            self.graph.add_application("p", client_id=application[0], ciphertext=application[1])

    def seal(self, value: Any) -> str:
        token = TokenEncryption.get_instance().encrypt(json.dumps(value))
        assert token is not None
        return token

    async def fetch(self, auth_type: AuthType = "api_token", **required: bool) -> dict[str, str]:
        declared = PluginManifest(
            slug="sonar",
            name="Sonar",
            plugin_type="webhook",
            auth_type=auth_type,
            credentials=[
                CredentialField(name=name, label=name, required=needed)
                for name, needed in required.items()
            ],
        )
        entry = RegistryEntry(WebhookActionPlugin, declared, "x", "1")
        return await get_plugin_credentials(self.graph, "p", entry)

    async def opened(self) -> Any:
        record = await self.graph.plugin("p")
        assert record
        return json.loads(TokenEncryption.get_instance().decrypt(record.configuration) or "null")

    async def refuses(self, text: str, auth_type: AuthType = "api_token", **required: bool) -> bool:
        with pytest.raises(PluginCredentialsMissing) as raised:
            await self.fetch(auth_type, **required)
        assert text in str(raised.value)
        assert CANARY not in str(raised.value) + repr(raised.value.__cause__)
        return True

    def warned(self, text: str, logger: str = "imbi_common.plugins.credentials") -> bool:
        assert CANARY not in self.caplog.text
        return any(
            (record.levelno, record.name) == (logging.WARNING, logger)
            and text in record.getMessage()
            for record in self.caplog.records
        )


@pytest.fixture
def desk(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in ("IMBI_AUTH_ENCRYPTION_KEY_FILE", "IMBI_WORKER_OLD_ENCRYPTION_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", Fernet.generate_key().decode())
    TokenEncryption.reset_instance()
    yield Desk(caplog, monkeypatch)
    TokenEncryption.reset_instance()
    ConfigEncryption.reset_instance()


def other_token(text: str) -> str:
    return Fernet(Fernet.generate_key()).encrypt(text.encode()).decode()


def routing() -> Iterator[Fact]:
    application = ("id-1", None)
    for kind in ("api_token", "aws-iam-ic"):

        async def from_blob(desk: Desk, kind: Any = kind) -> bool:
            desk.store(desk.seal({"t": CANARY}), application)
            return await desk.fetch(kind, t=True) == {"t": CANARY}

        yield Fact("2.1", f"{kind} reads the configuration blob", from_blob)
    for kind in ("oauth2", "oidc"):

        async def from_application(desk: Desk, kind: Any = kind) -> bool:
            secret = TokenEncryption.get_instance().encrypt(CANARY)
            desk.store(desk.seal({"t": "x"}), ("id-1", secret))
            found = await desk.fetch(kind, anything=True)
            return found == {"client_id": "id-1", "client_secret": CANARY}

        yield Fact("2.1", f"{kind} reads the application, and asks no manifest", from_application)


def blobs() -> Iterator[Fact]:
    async def no_node(desk: Desk) -> bool:
        return await desk.fetch() == await desk.fetch(a=False) == {}

    yield Fact("2.1", "no node and nothing required: {}", no_node)
    for blob in (None, ""):

        async def empty(desk: Desk, blob: Any = blob) -> bool:
            desk.store(blob)
            return await desk.fetch(a=False) == {} and await desk.refuses("['b']", b=True)

        yield Fact("2.1", f"a blob that is {blob!r} holds nothing", empty)

    async def wrong_key(desk: Desk) -> bool:
        desk.store(other_token(json.dumps({"t": CANARY})))
        return await desk.fetch(t=False) == {} and desk.warned("decrypt failed")

    yield Fact("2.1", "a blob under another key: a warning, and nothing", wrong_key)

    async def raising(desk: Desk) -> bool:
        desk.store(desk.seal({"t": CANARY}))

        def decrypt(*_: object) -> str:
            raise RuntimeError(CANARY)

        desk.monkeypatch.setattr(TokenEncryption, "decrypt", decrypt)
        return await desk.fetch(t=False) == {} and desk.warned("decrypt failed")

    yield Fact("2.1", "a decrypt that raises: a warning, and nothing", raising)
    for text in (f"no JSON {CANARY}", f'["{CANARY}"]', "7"):

        async def no_json(desk: Desk, text: str = text) -> bool:
            desk.store(TokenEncryption.get_instance().encrypt(text))
            return await desk.fetch(t=False) == {} and desk.warned("JSON parse failed")

        title = text.replace(CANARY, "x")
        yield Fact("2.1", f"a blob of {title!r}: a warning, and nothing", no_json)


def values() -> Iterator[Fact]:
    async def missing(desk: Desk) -> bool:
        desk.store(desk.seal({"a": CANARY, "b": None, "c": ""}))
        text = "Missing required credentials for plugin 'sonar': ['b', 'c', 'd']"
        return await desk.refuses(text, a=True, b=True, c=True, d=True, e=False)

    yield Fact("2.1", "null, '' and absent are missing, and named", missing)

    async def result(desk: Desk) -> bool:
        desk.store(desk.seal({"a": "x", "n": 7, "none": None, "empty": "", "extra": True}))
        return await desk.fetch(a=True, none=False) == {
            "a": "x",
            "n": "7",
            "empty": "",
            "extra": "True",
        }

    yield Fact("2.1", "nulls are dropped, values are texts, extra keys pass", result)


def applications() -> Iterator[Fact]:
    async def not_linked(desk: Desk) -> bool:
        text = "is not linked to a ServiceApplication; pick one on the Plugins tab"
        desk.store(None)
        return await desk.refuses(text, "oauth2")

    yield Fact("2.1", "no link: pick one on the Plugins tab", not_linked)
    for id_, secret in ((None, "token"), ("id", None)):

        async def half(desk: Desk, id_: Any = id_, secret: Any = secret) -> bool:
            desk.store(None, (id_, secret))
            return await desk.refuses("is missing client_id or client_secret", "oidc")

        name = "client_id" if id_ is None else "client_secret"
        yield Fact("2.1", f"an application without {name} is missing one of both", half)

    async def raising(desk: Desk) -> bool:
        desk.store(None, ("id", "token"))

        def decrypt(*_: object) -> str:
            raise RuntimeError("broken")

        desk.monkeypatch.setattr(TokenEncryption, "decrypt", decrypt)
        with pytest.raises(PluginCredentialsMissing) as raised:
            await desk.fetch("oauth2")
        return "could not be decrypted" in str(raised.value) and isinstance(
            raised.value.__cause__, RuntimeError
        )

    yield Fact("2.1", "a decrypt that raises: could not be decrypted, chained", raising)
    for title, secret in (("under another key", None), ("that is ''", "")):

        async def nothing(desk: Desk, secret: Any = secret) -> bool:
            sealed = TokenEncryption.get_instance().encrypt(secret) or other_token(CANARY)
            desk.store(None, ("id", sealed))
            return await desk.refuses("has no client_secret", "oauth2")

        yield Fact("2.1", f"a secret {title}: has no client_secret", nothing)


def configuration() -> Iterator[Fact]:
    async def keys(desk: Desk) -> bool:
        desk.store(desk.seal({"a": CANARY, "b": "", "c": None}))
        return await get_plugin_configuration_keys(desk.graph, "p") == ["a"]

    yield Fact("2.1", "the keys are the names with a value", keys)

    async def unreadable(desk: Desk) -> bool:
        desk.store(other_token(CANARY))
        found = await get_plugin_configuration_keys(desk.graph, "p")
        return found == [] and desk.warned("unreadable for plugin_id=p")

    yield Fact("2.1", "of an unreadable blob there are no keys, with a warning", unreadable)

    async def patch(desk: Desk) -> bool:
        desk.store(desk.seal({"kept": CANARY, "gone": "x", "blank": "y", "new": "old"}))
        updates = {"gone": None, "blank": "", "new": "n", "more": "m"}
        told = await patch_plugin_configuration(desk.graph, "p", updates)
        stored = await desk.opened()
        return stored == {"kept": CANARY, "new": "n", "more": "m"} and sorted(told) == sorted(
            stored
        )

    yield Fact("2.1", "a patch removes, overwrites, keeps, and tells names", patch)
    for blob in (None, ""):

        async def seed(desk: Desk, blob: Any = blob) -> bool:
            desk.store(blob)
            await patch_plugin_configuration(desk.graph, "p", {"a": "b"})
            return bool(await desk.opened() == {"a": "b"})

        yield Fact("2.1", f"a patch of {blob!r} begins a new blob", seed)


def corrupt_configuration() -> Iterator[Fact]:
    corrupt = {
        "decrypted to None": lambda: other_token("{}"),
        "is not valid JSON": lambda: TokenEncryption.get_instance().encrypt("nonsense"),
        "must be a JSON object": lambda: TokenEncryption.get_instance().encrypt("[]"),
    }
    for text, make in corrupt.items():

        async def refused(desk: Desk, text: str = text, make: Any = make) -> bool:
            blob = make()
            desk.store(blob)
            with pytest.raises(ValueError, match=text):
                await patch_plugin_configuration(desk.graph, "p", {"a": "b"})
            record = await desk.graph.plugin("p")
            return record is not None and record.configuration == blob

        yield Fact("2.1", f"a patch does not overwrite what {text}", refused)

    async def raising(desk: Desk) -> bool:
        desk.store("blob")

        def decrypt(*_: object) -> str:
            raise RuntimeError("broken")

        desk.monkeypatch.setattr(TokenEncryption, "decrypt", decrypt)
        with pytest.raises(ValueError, match="could not be decrypted"):
            await patch_plugin_configuration(desk.graph, "p", {"a": "b"})
        return True

    yield Fact("2.1", "a patch does not overwrite what could not be decrypted", raising)


def writers() -> Iterator[Fact]:
    async def two_writers(desk: Desk) -> bool:
        desk.store(desk.seal({}))
        await asyncio.gather(
            *(patch_plugin_configuration(desk.graph, "p", {f"k{n}": "v"}) for n in range(3))
        )
        return len(await desk.opened()) == 3

    yield Fact("2.1", "unlike in Imbi, of several writers none is lost", two_writers)

    async def no_node(desk: Desk) -> bool:
        with pytest.raises(PluginRecordMissing):
            await patch_plugin_configuration(desk.graph, "nobody", {"a": "b"})
        return True

    yield Fact("2.1", "unlike in Imbi, a patch of no node is an error", no_node)


def encryption() -> Iterator[Fact]:
    def legacy(desk: Desk) -> bool:
        key = Fernet.generate_key()
        token = base64.urlsafe_b64encode(Fernet(key).encrypt(CANARY.encode())).decode()
        return TokenEncryption(key.decode()).decrypt(token) == CANARY

    def failing(desk: Desk) -> bool:
        found = [TokenEncryption.get_instance().decrypt(t) for t in ("", "x", other_token("y"))]
        return found == [None] * 3 and desk.warned("Failed", "imbi_common.auth.encryption")

    def no_key(desk: Desk) -> bool:
        desk.monkeypatch.delenv("IMBI_AUTH_ENCRYPTION_KEY")
        TokenEncryption.reset_instance()
        return refuses("Encryption key not configured", TokenEncryption.get_instance, RuntimeError)

    def singleton(desk: Desk) -> bool:
        first = TokenEncryption.get_instance()
        is_kept = TokenEncryption.get_instance() is first
        TokenEncryption.reset_instance()
        return is_kept and TokenEncryption.get_instance() is not first

    def none(desk: Desk) -> bool:
        one = TokenEncryption.get_instance()
        return one.encrypt(None) is None and one.decrypt(None) is None

    def helpers(desk: Desk) -> bool:
        with pytest.raises(Exception):  # noqa: B017, PT011 - the document says no more than that it raises
            decrypt_token("x")
        return decrypt_token(encrypt_token(CANARY)) == CANARY

    def config(desk: Desk) -> bool:
        desk.monkeypatch.setenv("IMBI_CONFIG_ENCRYPTION_KEY", Fernet.generate_key().decode())
        token = ConfigEncryption.get_instance().encrypt(CANARY)
        return (
            ConfigEncryption.get_instance().decrypt(token) == CANARY
            and TokenEncryption.get_instance().decrypt(token) is None
        )

    def rotated(desk: Desk) -> bool:
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        token = TokenEncryption(old).encrypt(CANARY)
        desk.monkeypatch.setenv("IMBI_AUTH_ENCRYPTION_KEY", new)
        desk.monkeypatch.setenv("IMBI_WORKER_OLD_ENCRYPTION_KEYS", old)
        TokenEncryption.reset_instance()
        return TokenEncryption.get_instance().decrypt(token) == CANARY

    for text, check in {
        "tokens that were base64-encoded twice are read": legacy,
        "decrypt never raises: a warning and None": failing,
        "without a key get_instance raises, and makes up none": no_key,
        "there is one instance until it is reset": singleton,
        "None stays None": none,
        "encrypt_token and decrypt_token are inverse, and the latter raises": helpers,
        "ConfigEncryption has IMBI_CONFIG_ENCRYPTION_KEY": config,
        "unlike in Imbi, old keys decrypt": rotated,
        "a bad key is a ValueError": lambda _: refuses(
            "Invalid encryption key", lambda: TokenEncryption("short")
        ),
        "a token is a Fernet token in text": lambda _: str(
            TokenEncryption.get_instance().encrypt("x")
        ).startswith("gAAAA"),
    }.items():
        yield Fact("2.3", text, check)


Section = Callable[[], Iterator[Fact]]
SECTIONS: tuple[Section, ...] = (
    routing,
    blobs,
    values,
    applications,
    configuration,
    corrupt_configuration,
    writers,
    encryption,
)


@pytest.mark.parametrize("fact", table(fact for section in SECTIONS for fact in section()))
async def test_the_contract_holds(fact: Fact, desk: Desk) -> None:
    """Each line of the document, by its section."""
    assert await holds(fact, desk)
