"""A whole worker from its settings, with everything it needs around it."""

import gc
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

import imbi_sdk
from imbi_sdk.attempt import Redactor, RetryPolicy
from imbi_sdk.context import UserResolver
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import PluginNotFoundError
from imbi_sdk.queue.tracing import server_of
from imbi_sdk.registry import list_handlers
from imbi_worker import builtin, dispatch, embedded, graph, identity, observability, queue
from imbi_worker.queue.inspection import Inspection
from imbi_worker.settings import Settings
from imbi_worker.wiring.allocation import return_large_blocks
from imbi_worker.wiring.connections import open_store, redis_url
from imbi_worker.wiring.equipment import load, require_encryption_key
from imbi_worker.wiring.gateway import LANES, signer
from imbi_worker.wiring.known_secrets import know_secrets

_LOG = structlog.get_logger("imbi_worker.wiring")


class SystemClock:
    """The wall clock and the process's own randomness."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def jitter(self) -> float:
        return random.random()  # noqa: S311 - spreads retries, guards nothing


class ApiIdentity:
    """Looks users up in Imbi; without a token there is nobody to ask."""

    def __init__(self, users: "identity.ImbiIdentity | None") -> None:
        self._users = users

    def resolver(self, plugin_slugs: Sequence[str]) -> UserResolver | None:
        if self._users is None:
            return None
        # Of a service without identity plugins nobody is known; an action may ask all the same.
        return self._users.resolver([slug for slug in plugin_slugs if _may_know_users(slug)])


def _may_know_users(slug: str) -> bool:
    """An identity plugin, or one that is not installed here and so can be of any type."""
    try:
        return imbi_sdk.get_plugin(slug).manifest.plugin_type == "identity"
    except PluginNotFoundError:
        return True


@dataclass(frozen=True, slots=True)
class Opened:
    """A worker, ready to run, and what it was built from."""

    engine: "queue.Engine"
    plugins: "imbi_sdk.LoadResult"
    redactor: Redactor
    telemetry: "observability.Telemetry"


@asynccontextmanager
async def worker(
    settings: Settings,
    redactor: Redactor,
    *,
    is_burst: bool = False,
    plugins: Sequence[type] = (),
    traces: "observability.TraceExport | None" = None,
) -> AsyncIterator[Opened]:
    """A worker with its connections; nothing has been claimed yet.

    *plugins* are loaded beside the installed ones; attempts become spans where *traces* go.

    :raises SettingsError: a key or an address is missing
    """
    require_encryption_key()
    know_secrets(redactor, settings)
    sign = signer(settings)
    redis = queue.connect(redis_url(settings), queue=settings.queue)
    store = open_store(settings)
    loaded = load(plugins, within=settings.import_timeout)
    plan = queue.WorkerPlan(
        redis_url=redis_url(settings),
        slugs=_slugs(),
        signer=sign,
        accepts_unsigned=settings.accept_unsigned,
        lane=LANES[settings.lane],
        patience=settings.patience,
        options=_options(settings, is_burst=is_burst),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(builtin.close)
        stack.push_async_callback(store.close)
        telemetry = _telemetry(settings, traces, server_of(redis))
        dispatcher = _dispatcher(settings, store, redactor, telemetry)
        engine = queue.build_engine(redis, dispatcher, plan, witness=telemetry)
        telemetry.counts.watch(lambda: engine.vitals)
        stack.push_async_callback(engine.close)
        builtin.prepare()
        return_large_blocks()
        # What is loaded by now stays; walking it again and again cost a tenth of an attempt.
        gc.collect()
        gc.freeze()
        yield Opened(engine, loaded, redactor, telemetry)


def _telemetry(
    settings: Settings,
    traces: "observability.TraceExport | None",
    server: Mapping[str, str | int],
) -> "observability.Telemetry":
    counts = observability.WorkerMetrics(
        queue=settings.queue,
        plugins=imbi_sdk.list_plugins(),
        handlers=list_handlers(),
        revision=settings.revision,
    )
    if traces is None:
        return observability.Telemetry(counts)
    spans = observability.AttemptTraces(
        traces.tracer,
        queue=settings.queue,
        parenting=settings.trace_parenting,
        server=server,
    )
    return observability.Telemetry(counts, spans)


@contextmanager
def lookout(settings: Settings, opened: Opened) -> Iterator[None]:
    """Answer scrapers and probes, and write the heartbeat file, as *settings* ask for.

    :raises observability.ListenError: the port is in use
    """
    if settings.metrics_port is None and settings.heartbeat_file is None:
        yield
        return
    subject = observability.Subject(
        worker=opened.engine.worker,
        vitals=lambda: opened.engine.vitals,
        equipment=observability.Equipment(
            opened.plugins.loaded, opened.plugins.errors, TokenEncryption.is_usable()
        ),
        registry=opened.telemetry.counts.registry,
        redis_url=redis_url(settings),
        queue=settings.queue,
        stall=settings.stall,
    )
    sock = None
    if settings.metrics_port is not None:
        sock = observability.listen_at(settings.metrics_host, settings.metrics_port)
    watch = observability.Lookout(subject, sock=sock, file=settings.heartbeat_file)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


@asynccontextmanager
async def queue_port(settings: Settings, inspection: Inspection) -> AsyncIterator[None]:
    """Serve the queue's figures beside a dashboard, if *settings* ask for it.

    :raises observability.ListenError: the port is in use
    """
    if settings.dashboard_metrics_port is None:
        yield
        return
    setting = "IMBI_WORKER_DASHBOARD_METRICS_PORT"
    sock = observability.listen_at(
        settings.metrics_host, settings.dashboard_metrics_port, setting=setting
    )
    async with observability.serve_queue(sock, inspection):
        yield


@asynccontextmanager
async def with_embedded(settings: Settings) -> AsyncIterator[Settings]:
    """*settings* with embedded servers in place of the addresses that are not set."""
    async with embedded.embedded_servers(
        redis=settings.redis_url is None, graph=settings.neo4j_url is None
    ) as servers:
        changes: dict[str, object] = {}
        if servers.redis_url is not None:
            changes["redis_url"] = servers.redis_url
            hint = "for other commands meanwhile: set REDIS_URL to it, and the same signing key"
            _LOG.info("embedded.started", redis=servers.redis_url, hint=hint)
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
        entry.manifest.slug
        for entry in imbi_sdk.list_plugins()
        if entry.manifest.plugin_type == "webhook"
    )


def _options(settings: Settings, *, is_burst: bool) -> "queue.EngineOptions":
    return queue.EngineOptions(
        concurrency=settings.concurrency,
        event_bytes=settings.event_bytes,
        lease=settings.lease,
        drain=settings.drain,
        grace=settings.grace,
        is_burst=is_burst,
    )


def _dispatcher(
    settings: Settings,
    store: "graph.OpenGraph",
    redactor: Redactor,
    telemetry: "observability.Telemetry",
) -> "dispatch.Dispatcher":
    users = None
    if settings.actions_imbi_token is not None:
        address = identity.ApiAddress(settings.actions_imbi_url, settings.actions_imbi_token)
        users = identity.ImbiIdentity(address, builtin.SESSIONS)
    policy = replace(
        RetryPolicy(),
        backoff=settings.backoff,
        max_attempts=settings.max_attempts,
        max_age=settings.max_age,
    )
    return dispatch.Dispatcher(
        registry=dispatch.InstalledPlugins(),
        graph=store,
        credentials=dispatch.GatewayCredentials()
        if settings.gateway_compat
        else dispatch.StoredCredentials(),
        identity=ApiIdentity(users),
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
        on_fetch=telemetry.counts.fetched,
    )
