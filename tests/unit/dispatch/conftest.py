"""A small world to dispatch in: plugins, a graph and a clock, all in memory."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel

from imbi_sdk.actions import callable_kind
from imbi_sdk.attempt import Redactor, Verdict
from imbi_sdk.context import UserResolver
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import GraphUnavailable
from imbi_sdk.graph import PluginRecord, ServiceApplicationRecord
from imbi_sdk.handler import parse_handler
from imbi_sdk.manifest import CredentialField, PluginManifest
from imbi_sdk.queue.job import ActionJob, JobContext, RuleOnWire
from imbi_sdk.registry import RegistryEntry
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker.dispatch import Attempt, Dispatcher, Resolved, StoredCredentials

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CANARY = "canary-4f1d-do-not-leak"
TOKEN = CredentialField(name="token", label="Token")


class Config(BaseModel):
    names: list[str] = []


@dataclass
class StillClock:
    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def jitter(self) -> float:
        return 1.0


@dataclass
class MemoryGraph:
    """Answers from memory; *failure* is raised instead, *before* is awaited first."""

    plugins: dict[str, PluginRecord] = field(default_factory=dict)
    applications: dict[str, ServiceApplicationRecord] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    failure: BaseException | None = None
    before: Callable[[], Any] | None = None

    async def plugin(self, plugin_id: str) -> PluginRecord | None:
        self.reads.append(plugin_id)
        if self.before is not None:
            await self.before()
        if self.failure is not None:
            raise self.failure
        return self.plugins.get(plugin_id)

    async def service_application(self, plugin_id: str) -> ServiceApplicationRecord | None:
        return self.applications.get(plugin_id)

    def go_down(self) -> None:
        self.failure = GraphUnavailable("no route")


@dataclass
class MemoryRegistry:
    """Plugins by handler, resolved as the worker resolves them."""

    known: dict[str, Resolved] = field(default_factory=dict)

    def find(self, handler: str) -> Resolved:
        return self.known[handler]


@dataclass
class Residents:
    """Everybody is known, by a name made of the plugins that are asked and the subject."""

    def resolver(self, plugin_slugs: Sequence[str]) -> UserResolver:
        async def resolve(subject: str) -> str:
            return f"{subject}@{'.'.join(plugin_slugs)}"

        return resolve


@dataclass
class World:
    clock: StillClock = field(default_factory=StillClock)
    graph: MemoryGraph = field(default_factory=MemoryGraph)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    redactor: Redactor = field(default_factory=Redactor)
    encryption: TokenEncryption = field(
        default_factory=lambda: TokenEncryption(Fernet.generate_key())
    )
    settings: dict[str, Any] = field(default_factory=dict)
    made: Dispatcher | None = None

    @property
    def dispatcher(self) -> Dispatcher:
        """One for the test, made at its first use: settings come before."""
        if self.made is None:
            self.made = Dispatcher(
                registry=self.registry,
                graph=self.graph,
                identity=Residents(),
                clock=self.clock,
                redactor=self.redactor,
                **({"credentials": StoredCredentials(self.encryption)} | self.settings),
            )
        return self.made

    def install(
        self,
        function: Callable[..., Any],
        *,
        handler: str = "tickets#act",
        credentials: tuple[CredentialField, ...] = (),
        auth_type: Any = "api_token",
        **extras: Any,
    ) -> None:
        slug, action = parse_handler(handler)
        descriptor = ActionDescriptor(
            name=action, label="Act", callable=function, config_model=Config, **extras
        )
        manifest = PluginManifest(
            slug=slug,
            name="Tickets",
            plugin_type="webhook",
            auth_type=auth_type,
            credentials=list(credentials),
        )
        entry = RegistryEntry(WebhookActionPlugin, manifest, "tickets", "1.0")
        self.registry.known[handler] = Resolved(entry, descriptor, callable_kind(descriptor))

    def attach(self, blob: object = None, *, slug: str = "tickets", **fields: Any) -> None:
        """Put plugin id ``i1`` into the graph; *blob* is what it encrypts."""
        text = blob if isinstance(blob, str) else json.dumps(blob)
        configuration = None if blob is None else self.encryption.encrypt(text)
        fields = {"configuration": configuration, **fields}
        self.graph.plugins["i1"] = PluginRecord("i1", slug, **fields)

    def attempt(
        self,
        *,
        handler: str = "tickets#act",
        config: str = "{}",
        event: bytes = b"{}",
        plugin_id: str | None = None,
        service: str | None = None,
        **past: Any,
    ) -> Attempt:
        job = ActionJob(
            id="j1",
            handler=handler,
            context=JobContext(
                project_id="1",
                project_slug="shop",
                org_slug="acme",
                team_slug="web",
                actor="ann@example.com",
                service=service,
            ),
            plugin_id=plugin_id,
            external_identifier="ext",
            rule=RuleOnWire(handler=handler, config=config),
            event={},
        )
        return Attempt(job=job, event=event, **({"number": 1, "enqueued_at": NOON} | past))

    async def run(self, **given: Any) -> Verdict:
        return await self.dispatcher.run(self.attempt(**given))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def canary() -> str:
    return CANARY


@pytest.fixture
def seen(world: World) -> list[dict[str, Any]]:
    """What each call of ``tickets#act`` was given; it declares no credentials."""
    calls: list[dict[str, Any]] = []

    async def act(
        *, ctx: Any, credentials: Any, external_identifier: str, action_config: Any, event: Any
    ) -> None:
        calls.append(locals() | {"calls": None})

    world.install(act)
    return calls
