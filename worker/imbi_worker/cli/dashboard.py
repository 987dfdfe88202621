"""`imbi-worker dashboard`: the JSON API and its pages in the foreground, until SIGTERM."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from typing import Final

import structlog
import typer
import uvicorn

from imbi_sdk.attempt import Redactor
from imbi_worker import wiring
from imbi_worker.cli.options import Json
from imbi_worker.cli.session import MISCONFIGURED
from imbi_worker.dashboard.access import Access, InvalidToken, kept_tokens
from imbi_worker.dashboard.address import PublicWithoutTokens, check_address
from imbi_worker.dashboard.app import build
from imbi_worker.dashboard.desk import Desk
from imbi_worker.observability import ListenError, configure_logs
from imbi_worker.queue.inspection import Inspection
from imbi_worker.settings import Settings, SettingsError

_CONFIG_ERROR: Final = 78
_UNAVAILABLE: Final = 69
# More than people and scrapers need, less than Redis minds.
_AT_ONCE: Final = 100
# Tails do not end by themselves.
_GRACE_SECONDS: Final = 2
_LOG = structlog.get_logger("imbi_worker.dashboard")


def dashboard(*, as_json: Json = False) -> None:
    """Serve the JSON API and its pages until SIGTERM, on this machine only unless set."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        typer.echo(f"imbi-worker: {error}", err=True)
        raise typer.Exit(_CONFIG_ERROR) from None
    try:
        access = _access(settings)
        redactor = Redactor()
        configure_logs(level=settings.log_level, style=settings.log_format, redactor=redactor)
        asyncio.run(_serve(settings, access, redactor, as_json=as_json))
    except (*MISCONFIGURED, ListenError) as error:
        typer.echo(f"imbi-worker: {error}", err=True)
        raise typer.Exit(_CONFIG_ERROR) from None
    except OSError as error:
        where = f"{settings.dashboard_host}:{settings.dashboard_port}"
        typer.echo(f"imbi-worker: cannot listen on {where}: {error.strerror}", err=True)
        typer.echo("Stop what listens there, or set IMBI_WORKER_DASHBOARD_PORT.", err=True)
        raise typer.Exit(_UNAVAILABLE) from None


def _access(settings: Settings) -> Access:
    given = settings.dashboard_tokens
    try:
        access = Access(kept_tokens(given.get_secret_value() if given is not None else ""))
    except InvalidToken as error:
        raise SettingsError(f"IMBI_WORKER_DASHBOARD_TOKENS: {error}") from None
    try:
        check_address(settings.dashboard_host, has_tokens=not access.is_open)
    except PublicWithoutTokens as error:
        raise SettingsError(f"IMBI_WORKER_DASHBOARD_HOST: {error}") from None
    return access


async def _serve(settings: Settings, access: Access, redactor: Redactor, *, as_json: bool) -> None:
    # Here, not in the server, which would answer a port in use with a log line.
    listener = _listen(settings.dashboard_host, settings.dashboard_port)
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    async with (
        _desk(settings, redactor) as desk,
        wiring.queue_port(settings, desk.inspection),
    ):
        config = uvicorn.Config(
            build(desk, access),
            log_config=None,
            access_log=False,
            server_header=False,
            # What a proxy says of its clients is nothing that is looked at here.
            proxy_headers=False,
            limit_concurrency=_AT_ONCE,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            lifespan="off",
            ws="none",
        )
        typer.echo(json.dumps({"address": address}) if as_json else address)
        _LOG.info("dashboard.started", address=address, needs_token=not access.is_open)
        await _Server(config).serve(sockets=[listener])
    _LOG.info("dashboard.stopped")


class _Server(uvicorn.Server):
    """Ends well at SIGTERM: uvicorn 0.54 raises the signal once more when all is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _listen(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        # So that nobody who reads the address comes too early.
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


@asynccontextmanager
async def _desk(settings: Settings, redactor: Redactor) -> AsyncIterator[Desk]:
    redis = wiring.open_redis(settings)
    wiring.know_secrets(redactor, settings)
    has_keys = bool(settings.signing_keys)
    try:
        yield Desk(
            inspection=Inspection(redis, queue=settings.queue),
            plugins=wiring.load(within=settings.import_timeout),
            version=version("imbi-worker"),
            timeout_of=lambda handler: settings.timeouts.get(handler, settings.timeout),
            # Only a replay with another config signs; to look takes no key.
            signer=wiring.signer(settings) if has_keys else None,
            accepts_unsigned=settings.accept_unsigned,
            redactor=redactor,
        )
    finally:
        await redis.aclose()
