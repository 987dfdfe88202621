"""`imbi-worker run`: a worker in the foreground, until SIGTERM."""

import os
import sys
from contextlib import AsyncExitStack
from typing import Annotated

import structlog
import typer

from imbi_sdk.attempt import Redactor
from imbi_worker import wiring
from imbi_worker.cli.session import MISCONFIGURED
from imbi_worker.demo.plugin import DemoPlugin
from imbi_worker.embedded import EmbeddedServerError
from imbi_worker.observability import (
    ListenError,
    configure_logs,
    logged_output,
    open_trace_export,
)
from imbi_worker.queue import LayoutMismatch
from imbi_worker.settings import Settings

_CONFIG_ERROR, _UNAVAILABLE = 78, 69
_LOG = structlog.get_logger("imbi_worker")


def run(
    *,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Start the servers whose addresses are not set.")
    ] = False,
    burst: Annotated[bool, typer.Option("--burst", help="End when nothing is left to do.")] = False,
    demo_plugin: Annotated[bool, typer.Option("--demo-plugin", hidden=True)] = False,
) -> None:
    """Claim and run jobs until SIGTERM; then drain."""
    try:
        settings = Settings.load()
        work = _run(settings, embedded=embedded, burst=burst, demo_plugin=demo_plugin)
        code = wiring.run_on(settings.event_loop, work)
    except (*MISCONFIGURED, ListenError) as error:
        typer.echo(f"imbi-worker: {error}", err=True)
        code = _CONFIG_ERROR
    except EmbeddedServerError as error:
        typer.echo(f"imbi-worker: {error}", err=True)
        code = _UNAVAILABLE
    raise typer.Exit(code)


async def _run(settings: Settings, *, embedded: bool, burst: bool, demo_plugin: bool) -> int:
    """The exit code, when everything is written down and closed."""
    redactor = Redactor()
    configure_logs(level=settings.log_level, style=settings.log_format, redactor=redactor)
    async with AsyncExitStack() as stack:
        stack.enter_context(logged_output())
        traces = open_trace_export(os.environ, redactor)
        if traces is not None:
            stack.callback(traces.close)
        if embedded:
            settings = await stack.enter_async_context(wiring.with_embedded(settings))
        opened = await stack.enter_async_context(
            wiring.worker(
                settings,
                redactor,
                is_burst=burst,
                plugins=(DemoPlugin,) if demo_plugin else (),
                traces=traces,
            )
        )
        stack.enter_context(wiring.lookout(settings, opened))
        engine, plugins = opened.engine, opened.plugins
        engine.handle_signals()
        _LOG.info(
            "worker.started",
            queue=settings.queue,
            concurrency=settings.concurrency,
            event_loop=settings.event_loop,
            plugins=", ".join(plugins.loaded),
            skipped=", ".join(plugins.skipped),
            refused="; ".join(f"{name}: {why}" for name, why in plugins.errors.items()),
        )
        try:
            await engine.async_run()
        except LayoutMismatch as error:
            _LOG.critical("worker.refused", error=str(error))
            return _CONFIG_ERROR
        _LOG.info("worker.stopped", **engine.endings)
    if engine.has_unfinished:
        # An action ignores its cancel; the loop would wait for it for ever.
        sys.stderr.flush()
        os._exit(0)
    return 0
