"""The same rules, plugins and blobs: what the gateway reports today, and what the worker does.

Each case says what the gateway does, and where the worker differs; the page for gateways
has a row for each difference. The third column is the worker with IMBI_WORKER_GATEWAY_COMPAT.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest
from gateway_today import GatewayToday
from pydantic import BaseModel

from imbi_sdk import registry
from imbi_sdk.attempt import Deferred, HandlerOutcome, Redactor, RetryPolicy, handler_outcome
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import PluginRateLimited, Skip
from imbi_sdk.logs import LogsPlugin
from imbi_sdk.manifest import CredentialField, PluginManifest
from imbi_sdk.queue import ActionJob, JobContext, RuleOnWire
from imbi_sdk.registry import load_plugins
from imbi_sdk.testing import FakeClock, FakeGraph, fresh_encryption
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker.dispatch import (
    Attempt,
    Dispatcher,
    GatewayCredentials,
    InstalledPlugins,
    StoredCredentials,
)
from imbi_worker.settings import Settings
from imbi_worker.wiring import workers as wiring

CANARY = "canary-4f1d-do-not-leak"
PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")
EVENT = {"type": "push", "payload": {"ref": "main"}}
GIVEN: list[Mapping[str, str]] = []

Given: TypeAlias = Mapping[str, str] | None

RUNS = {"status": "succeeded"}
UNRESOLVED = {"status": "skipped", "error": "handler not resolvable"}
MISSING = {"status": "skipped", "error": "missing credentials"}


class Config(BaseModel):
    count: int = 0


async def act(
    *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, event: Any
) -> None:
    GIVEN.append(dict(credentials))


def raising(error: BaseException) -> Any:
    async def action(
        *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, event: Any
    ) -> None:
        GIVEN.append(dict(credentials))
        raise error

    return action


async def tell_all(
    *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, event: Any
) -> None:
    raise ValueError(f"refused {credentials['token']}")


async def with_payload(
    *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, payload: Any
) -> None:
    assert payload == EVENT["payload"]


def no_coroutine(
    *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, event: Any
) -> None:
    pass


ACTIONS = {
    "act": act,
    "fail": raising(ValueError("no token configured")),
    "limited": raising(PluginRateLimited(4_000_000_000.0)),
    "pass": raising(Skip("nothing new")),
    "leave": raising(SystemExit(3)),
    "tell": tell_all,
    "payload": with_payload,
    "blocking": no_coroutine,
}


def plugin(slug: str, *credentials: CredentialField, auth_type: Any = "api_token") -> type:
    """A plugin with every action above."""

    class Plugin(WebhookActionPlugin):
        manifest: ClassVar[PluginManifest] = PluginManifest(
            slug=slug,
            name=slug,
            plugin_type="webhook",
            auth_type=auth_type,
            credentials=list(credentials),
        )

        @classmethod
        def actions(cls) -> list[ActionDescriptor]:
            return [
                ActionDescriptor(name=name, label=name, callable=function, config_model=Config)
                for name, function in ACTIONS.items()
            ]

    return Plugin


class Logs(LogsPlugin):
    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="logs", name="Logs", plugin_type="logs"
    )

    async def search(self, ctx: Any, credentials: Any, query: Any) -> Any: ...

    async def schema(self, ctx: Any, credentials: Any) -> Any: ...


class Broken(WebhookActionPlugin):
    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="broken", name="Broken", plugin_type="webhook"
    )

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        raise RuntimeError("no catalogue")


TOKEN = CredentialField(name="token", label="Token")
USER = CredentialField(name="user", label="User")
OPTIONAL = CredentialField(name="token", label="Token", required=False)
PLUGINS = (
    plugin("plain"),
    plugin("token", TOKEN),
    plugin("pair", TOKEN, USER),
    plugin("optional", OPTIONAL),
    plugin("oauth", TOKEN, auth_type="oauth2"),
    Logs,
    Broken,
)


@dataclass(frozen=True)
class Case:
    """*worker* and *compat* are None where they are as the gateway.

    *given* are the credentials of the noted call in each column, None without one;
    *difference* stands in the row of the page that explains it.
    """

    name: str
    handler: str
    gateway: Any
    worker: Any = None
    compat: Any = None
    config: str = "{}"
    blob: Mapping[str, Any] | str | None = None
    given: tuple[Given, Given, Given] = (None, None, None)
    difference: str = ""


SECRETS = {"token": "t-0123456789"}
CASES = [
    # --- section 3.1: what a rule's run comes to
    Case("the plugin is unknown", "nobody#act", UNRESOLVED),
    Case("the plugin is no webhook plugin", "logs#act", UNRESOLVED),
    Case("the plugin's catalogue raises", "broken#act", UNRESOLVED),
    Case("the action is unknown", "plain#nothing", UNRESOLVED),
    Case("the credentials are missing", "token#act", MISSING),
    Case(
        "the config is invalid",
        "plain#act",
        {"status": "skipped", "error": f"invalid handler_config: ...{CANARY}..."},
        {
            "status": "skipped",
            "error": "invalid handler_config: count: Input should be a valid integer,"
            " unable to parse string as an integer",
        },
        config=json.dumps({"count": CANARY}),
        difference="text of an invalid `handler_config`",
    ),
    Case(
        "the config is no JSON",
        "plain#act",
        {"status": "skipped", "error": f"invalid handler_config: ...{CANARY}..."},
        {
            "status": "skipped",
            "error": "invalid handler_config: no JSON: line 1 column 1",
        },
        config=CANARY,
        difference="text of an invalid `handler_config`",
    ),
    Case(
        "the action raises",
        "plain#fail",
        {"status": "failed", "error": "ValueError: no token configured"},
        given=({}, {}, {}),
    ),
    Case("the action returns", "plain#act", RUNS, given=({}, {}, {})),
    # --- section 2.2: credentials
    Case(
        "no credentials are declared and some are stored",
        "plain#act",
        RUNS,
        blob={"token": "t-1"},
        given=({}, {"token": "t-1"}, {}),
        difference="plugin declares no credentials",
    ),
    Case(
        "all credentials are optional and the plugin is not attached",
        "optional#act",
        MISSING,
        RUNS,
        MISSING,
        given=(None, {}, None),
        difference="all credentials are optional",
    ),
    Case(
        "all credentials are optional and the blob is empty",
        "optional#act",
        MISSING,
        RUNS,
        MISSING,
        blob={},
        given=(None, {}, None),
        difference="all credentials are optional",
    ),
    Case(
        "all credentials are optional and no key opens the blob",
        "optional#act",
        MISSING,
        RUNS,
        MISSING,
        blob="gAAAA-no-token",
        given=(None, {}, None),
        difference="all credentials are optional",
    ),
    Case("a required credential is stored", "token#act", RUNS, blob=SECRETS, given=(SECRETS,) * 3),
    Case("no key opens the blob", "token#act", MISSING, blob="gAAAA-no-token"),
    Case(
        "one required credential of two is stored",
        "pair#act",
        RUNS,
        MISSING,
        RUNS,
        blob=SECRETS,
        given=(SECRETS, None, SECRETS),
        difference="required credential is missing beside another",
    ),
    Case(
        "a field that is not declared is stored",
        "token#act",
        RUNS,
        blob=SECRETS | {"other": "o"},
        given=(SECRETS | {"other": "o"},) * 3,
    ),
    Case(
        "the plugin logs in with an application",
        "oauth#act",
        RUNS,
        MISSING,
        RUNS,
        blob=SECRETS,
        given=(SECRETS, None, SECRETS),
        difference="`oauth2` and `oidc`",
    ),
    # --- what an action does
    Case(
        "the action takes payload",
        "plain#payload",
        {"status": "failed", "error": "TypeError: ..."},
        RUNS,
        difference="`payload`",
    ),
    Case(
        "the action is no coroutine function",
        "plain#blocking",
        {"status": "failed", "error": "TypeError: ..."},
        {"status": "failed", "error": "..."},
        difference="no coroutine function",
    ),
    Case(
        "the action says there is nothing to do",
        "plain#pass",
        {"status": "failed", "error": "Skip: nothing new"},
        {"status": "skipped", "error": "nothing new"},
        given=({}, {}, {}),
        difference="`Skip`",
    ),
    Case(
        "the action is rate limited",
        "plain#limited",
        {"status": "failed", "error": "PluginRateLimited: Rate limited until epoch 4000000000"},
        "no line yet",
        given=({}, {}, {}),
        difference="`PluginRateLimited`",
    ),
    Case(
        "the action's error holds a credential",
        "token#tell",
        {"status": "failed", "error": f"ValueError: refused {CANARY}"},
        {"status": "failed", "error": "ValueError: refused ***"},
        blob={"token": CANARY},
        difference="Secrets in error texts",
    ),
]


@dataclass
class Stage:
    """The registry and graph both are given."""

    encryption: TokenEncryption
    redactor: Redactor = field(default_factory=Redactor)

    def ciphertext(self, case: Case) -> str | None:
        if case.blob is None or isinstance(case.blob, str):
            return case.blob
        return self.encryption.encrypt(json.dumps(case.blob))

    async def gateway(self, case: Case) -> HandlerOutcome:
        slug = case.handler.partition("#")[0]
        blob = self.ciphertext(case)
        rows = {} if blob is None else {slug: {"id": "i1", "plugin_configuration": blob}}
        rule = {"handler": case.handler, "handler_config": case.config}
        (line,) = await GatewayToday(self.encryption, rows).run([rule], EVENT)
        return line

    def graph(self, case: Case) -> FakeGraph:
        graph, blob = FakeGraph(self.encryption), self.ciphertext(case)
        if blob is not None:
            graph.add_plugin("i1", case.handler.partition("#")[0], ciphertext=blob)
        return graph

    async def worker(self, case: Case, credentials: Any) -> HandlerOutcome | None:
        """The end: what would run again has its last attempt now."""
        dispatcher = Dispatcher(
            registry=InstalledPlugins(),
            graph=self.graph(case),
            credentials=credentials,
            identity=Nobody(),
            clock=FakeClock(),
            redactor=self.redactor,
            policy=replace(RetryPolicy(), max_attempts=1),
        )
        return await self.run(case, dispatcher)

    async def run(self, case: Case, dispatcher: Dispatcher) -> HandlerOutcome | None:
        job = ActionJob(
            id="j1",
            handler=case.handler,
            context=JobContext(project_id="p", project_slug="p", org_slug="o"),
            plugin_id=None if case.blob is None else "i1",
            rule=RuleOnWire(handler=case.handler, config=case.config),
            event={},
        )
        event = json.dumps(EVENT).encode()
        verdict = await dispatcher.run(Attempt(job, event, 1, datetime(2026, 1, 1, tzinfo=UTC)))
        if isinstance(verdict.outcome, Deferred):
            assert verdict.outcome.until > datetime.now(UTC) + timedelta(minutes=1)
        return handler_outcome(case.handler, verdict.outcome, verdict.duration)


class Nobody:
    def resolver(self, plugin_slugs: Sequence[str]) -> None:
        return None


@pytest.fixture
def stage() -> Iterator[Stage]:
    kept = dict(registry._registry)
    GIVEN.clear()
    with fresh_encryption() as encryption:
        load_plugins(builtins=PLUGINS)
        yield Stage(encryption)
    registry._registry.clear()
    registry._registry.update(kept)


def read_as(line: HandlerOutcome | None, expected: Any) -> Any:
    """*line* as the table writes it: dots stand for any text."""
    if line is None:
        return "no line yet"
    found = line.model_dump(exclude_none=True, exclude={"handler", "duration_ms"})
    error = expected.get("error", "") if isinstance(expected, dict) else ""
    if "..." in error:
        pattern = re.escape(error).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, found.get("error", ""), re.DOTALL), found
        found["error"] = error
    return found


def calls(credentials: Given) -> list[Mapping[str, str]]:
    return [] if credentials is None else [credentials]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_gateway_does_so_today(stage: Stage, case: Case) -> None:
    """The first column of the table, from the contract's model of the gateway."""
    line = await stage.gateway(case)
    assert read_as(line, case.gateway) == case.gateway
    assert (line.duration_ms is not None) == (line.status != "skipped")
    assert calls(case.given[0]) == GIVEN


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_worker_does_the_same_or_what_the_page_says(stage: Stage, case: Case) -> None:
    """The second column; a case that differs names the row of the page that says so."""
    expected = case.worker or case.gateway
    line = await stage.worker(case, StoredCredentials(stage.encryption))
    assert read_as(line, expected) == expected
    assert calls(case.given[1]) == GIVEN
    assert CANARY not in repr(line)
    differs = expected != case.gateway or case.given[0] != case.given[1]
    assert differs == bool(case.difference)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_switch_reads_credentials_as_the_gateway_does(stage: Stage, case: Case) -> None:
    """The third column: what concerns credentials is as today, all else is as without."""
    expected = case.compat or case.worker or case.gateway
    line = await stage.worker(case, GatewayCredentials(stage.encryption))
    assert read_as(line, expected) == expected
    assert calls(case.given[2]) == GIVEN


@pytest.mark.parametrize("is_on", [False, True])
async def test_the_setting_is_the_switch(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, is_on: bool
) -> None:
    """A worker that is built from the environment does as its operator says."""
    monkeypatch.setenv("IMBI_WORKER_GATEWAY_COMPAT", str(is_on).lower())
    (case,) = (one for one in CASES if one.name.endswith("the blob is empty"))
    settings = Settings.load()
    telemetry = wiring._telemetry(settings, None, {})
    dispatcher = wiring._dispatcher(settings, stage.graph(case), stage.redactor, telemetry)
    expected = case.compat if is_on else case.worker
    assert read_as(await stage.run(case, dispatcher), expected) == expected


@pytest.mark.parametrize(
    "words", sorted({case.difference for case in CASES if case.difference}), ids=str
)
def test_every_difference_stands_on_the_page(words: str) -> None:
    """With its reason; no difference is found out by a user first."""
    table = PAGE[PAGE.index("## What differs") :]
    (row,) = [line for line in table.splitlines() if line.startswith("| ") and words in line]
    what, gateway, worker, reason = (part.strip() for part in row.strip("|").split("|"))
    assert all((what, gateway, worker, reason))
