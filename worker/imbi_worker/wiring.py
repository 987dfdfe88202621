"""The composition root: from settings to parts. Every other module gets plain values."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from arq.connections import ArqRedis

from imbi_sdk.attempt import Redactor, RetryPolicy
from imbi_sdk.context import UserResolver
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import PluginNotFoundError
from imbi_sdk.queue import ActionQueue, Signer
from imbi_sdk.queue.delivery import Lane, by_project, by_project_and_plugin, without_lane
from imbi_sdk.registry import LoadResult, get_plugin, list_plugins, load_plugins
from imbi_worker import builtin
from imbi_worker.dispatch import (
    Dispatcher,
    GatewayCredentials,
    InstalledPlugins,
    StoredCredentials,
)
from imbi_worker.embedded import embedded_servers
from imbi_worker.graph import GraphAddress, Neo4jGraph, OpenGraph, UnknownStore, find_adapter
from imbi_worker.identity import ApiAddress, ImbiIdentity
from imbi_worker.queue import (
    Engine,
    EngineOptions,
    WorkerPlan,
    build_engine,
    connect,
)
from imbi_worker.settings import Settings, SettingsError

_IMPORT_TIMEOUT = timedelta(seconds=30)
_LANES: Mapping[str, Lane] = {
    "plugin": by_project_and_plugin,
    "project": by_project,
    "none": without_lane,
}


class SystemClock:
    """The wall clock and the process's own randomness."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def jitter(self) -> float:
        return random.random()  # noqa: S311 - spreads retries, guards nothing


class ApiIdentity:
    """Looks users up in Imbi; without a token there is nobody to ask."""

    def __init__(self, identity: ImbiIdentity | None) -> None:
        self._identity = identity

    def resolver(self, plugin_slugs: Sequence[str]) -> UserResolver | None:
        able = [slug for slug in plugin_slugs if _may_know_users(slug)]
        if self._identity is None or not able:
            return None
        return self._identity.resolver(able)


def _may_know_users(slug: str) -> bool:
    """An identity plugin, or one that is not installed here and so can be of any type."""
    try:
        return get_plugin(slug).manifest.plugin_type == "identity"
    except PluginNotFoundError:
        return True


def load(extra: Sequence[type] = (), *, within: timedelta = _IMPORT_TIMEOUT) -> LoadResult:
    """All installed plugins, the built-in ones and *extra* last; each has *within* to load.

    :raises PluginSchemaCollisionError: two plugins declare the same label differently
    """
    return load_plugins(builtins=(*builtin.BUILTINS, *extra), within=within)


def open_redis(settings: Settings) -> ArqRedis:
    """A pool that connects when it is used. :raises SettingsError: no address is set."""
    if settings.redis_url is None:
        raise SettingsError(
            "REDIS_URL: is not set; name a Redis, or try `imbi-worker run --embedded`"
        )
    return connect(settings.redis_url, queue=settings.queue)


def open_graph(settings: Settings) -> Neo4jGraph:
    """Neo4j itself, for what only it offers. :raises SettingsError: no address is set."""
    return Neo4jGraph.at(_graph_address(settings))


def open_store(settings: Settings) -> OpenGraph:
    """The graph of the adapter the settings name; it connects when it is used.

    :raises SettingsError: no address is set, or no such adapter is installed
    """
    address = _graph_address(settings)
    try:
        adapter = find_adapter(settings.graph)
    except UnknownStore as error:
        raise SettingsError(f"IMBI_WORKER_GRAPH: {error}") from None
    return adapter(address.url, address.user, address.password, address.database)


def _graph_address(settings: Settings) -> GraphAddress:
    if settings.neo4j_url is None:
        raise SettingsError(
            "NEO4J_URL: is not set; name a graph, or try `imbi-worker run --embedded`"
        )
    return GraphAddress(
        settings.neo4j_url,
        settings.neo4j_user or None,
        settings.neo4j_password,
        settings.neo4j_database,
    )


def signer(settings: Settings) -> Signer | None:
    """Who signs and verifies jobs; None only where unsigned jobs are accepted."""
    if settings.signing_keys:
        return Signer(settings.signing_keys)
    if settings.accept_unsigned:
        return None
    raise SettingsError(
        "IMBI_WORKER_SIGNING_KEY: is not set; give gateway and workers the same key, e.g. the"
        " output of `openssl rand -hex 32`"
    )


def action_queue(redis: ArqRedis, settings: Settings) -> ActionQueue:
    """The gateway's side of the queue, as this process's settings describe it."""
    return ActionQueue(
        redis, signer=signer(settings), queue=settings.queue, lane=_LANES[settings.lane]
    )


def require_encryption_key() -> None:
    """:raises SettingsError: no key, or one that is none; nothing is ever made up."""
    TokenEncryption.reset_instance()
    try:
        TokenEncryption.get_instance()
    except (RuntimeError, ValueError) as error:
        raise SettingsError(
            f"IMBI_AUTH_ENCRYPTION_KEY: {error}; it must be the Fernet key of Imbi's other services"
        ) from None


@dataclass(frozen=True, slots=True)
class Opened:
    """A worker, ready to run, and what it was built from."""

    engine: Engine
    plugins: LoadResult
    redactor: Redactor


@asynccontextmanager
async def worker(
    settings: Settings,
    redactor: Redactor,
    *,
    is_burst: bool = False,
    plugins: Sequence[type] = (),
) -> AsyncIterator[Opened]:
    """A worker with its connections; nothing has been claimed yet.

    *plugins* are loaded beside the installed ones.

    :raises SettingsError: a key or an address is missing
    """
    require_encryption_key()
    sign = signer(settings)
    redis, graph = open_redis(settings), open_store(settings)
    loaded = load(plugins, within=settings.import_timeout)
    assert settings.redis_url is not None  # noqa: S101 - open_redis has checked it
    plan = WorkerPlan(
        redis_url=settings.redis_url,
        slugs=_slugs(),
        signer=sign,
        accepts_unsigned=settings.accept_unsigned,
        lane=_LANES[settings.lane],
        patience=settings.patience,
        options=_options(settings, is_burst=is_burst),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(builtin.close)
        stack.push_async_callback(graph.close)
        engine = build_engine(redis, _dispatcher(settings, graph, redactor), plan)
        stack.push_async_callback(engine.close)
        yield Opened(engine, loaded, redactor)


@asynccontextmanager
async def with_embedded(settings: Settings) -> AsyncIterator[Settings]:
    """*settings* with embedded servers in place of the addresses that are not set."""
    async with embedded_servers(
        redis=settings.redis_url is None, graph=settings.neo4j_url is None
    ) as servers:
        changes: dict[str, object] = {}
        if servers.redis_url is not None:
            changes["redis_url"] = servers.redis_url
        if servers.graph is not None:
            changes |= {
                "neo4j_url": servers.graph.url,
                "neo4j_user": servers.graph.user or "",
                "neo4j_password": servers.graph.password,
                "neo4j_database": servers.graph.database,
            }
        yield Settings.load(**changes)


def _slugs() -> Sequence[str]:
    return sorted(
        entry.manifest.slug for entry in list_plugins() if entry.manifest.plugin_type == "webhook"
    )


def _options(settings: Settings, *, is_burst: bool) -> EngineOptions:
    return EngineOptions(
        concurrency=settings.concurrency,
        event_bytes=settings.event_bytes,
        lease=settings.lease,
        drain=settings.drain,
        grace=settings.grace,
        is_burst=is_burst,
    )


def _dispatcher(settings: Settings, graph: OpenGraph, redactor: Redactor) -> Dispatcher:
    identity = None
    if settings.actions_imbi_token is not None:
        address = ApiAddress(settings.actions_imbi_url, settings.actions_imbi_token)
        identity = ImbiIdentity(address, builtin.SESSIONS)
    policy = replace(
        RetryPolicy(),
        backoff=settings.backoff,
        max_attempts=settings.max_attempts,
        max_age=settings.max_age,
    )
    return Dispatcher(
        registry=InstalledPlugins(),
        graph=graph,
        credentials=GatewayCredentials() if settings.gateway_compat else StoredCredentials(),
        identity=ApiIdentity(identity),
        clock=SystemClock(),
        redactor=redactor,
        policy=policy,
        policies={
            handler: replace(policy, **given.model_dump(exclude_none=True))
            for handler, given in settings.policies.items()
        },
        default_timeout=settings.timeout,
        timeouts=settings.timeouts,
        grace=settings.grace,
    )
