"""`imbi-worker queue`: the queue as a whole."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Annotated

import typer

from imbi_worker.cli import changes, durations
from imbi_worker.cli.options import DryRun, For, Json, Reason
from imbi_worker.cli.output import FAILED, OK, Output, counted
from imbi_worker.cli.rows import HOLD_HEADERS, hold_row
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import holds
from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.queue import QueueReport, drained, report

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at the queue, pause and resume it.",
)
_ENDINGS = ("succeeded", "skipped", "dead", "cancelled")

PluginId = Annotated[
    str | None, typer.Option(help="Only this integration, by its plugin id, not the whole queue.")
]
Handler = Annotated[
    str | None, typer.Option(help="Only this <plugin>#<action>, not the whole queue.")
]


@app.command("pause")
def pause(
    *,
    plugin_id: PluginId = None,
    handler: Handler = None,
    span: For = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Begin no more jobs; what runs goes on."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        scope = _scope(plugin_id, handler)
        await changes.hold(session, output, scope=scope, span=span, reason=reason, is_dry=dry_run)

    execute(work, output)


@app.command("resume")
def resume(
    *,
    plugin_id: PluginId = None,
    handler: Handler = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let jobs begin again, in the order they had."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        scope = _scope(plugin_id, handler)
        await changes.release(session, output, scope=scope, reason=reason, is_dry=dry_run)

    execute(work, output)


@app.command("drain")
def drain(
    *,
    timeout: Annotated[str, typer.Option(help="How long to wait: 30s, 5m, 1h.")] = "10m",
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Pause the queue and wait until no job runs; it stays paused."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> int:
        seconds = durations.parse(timeout).total_seconds()
        await changes.hold(
            session,
            Output(as_json=False),
            scope=holds.QUEUE,
            span=None,
            reason=reason,
            is_dry=dry_run,
        )
        left = await _wait(session, seconds, output, is_dry=dry_run)
        if as_json:
            output.record({"running": left, "is_drained": left == 0, "is_dry": dry_run})
        return OK if left == 0 or dry_run else FAILED

    execute(work, output)


@app.command("stats")
def stats(*, as_json: Json = False) -> None:
    """Show the queue in figures, its holds, and how jobs ended."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        found = await report(session.inspection)
        if as_json:
            output.record(found)
            return
        _show(found, output)

    execute(work, output)


def _scope(plugin_id: str | None, handler: str | None) -> str:
    if plugin_id is not None and handler is not None:
        raise InvalidInput("Name an integration or a handler, not both.")
    if plugin_id is not None:
        return holds.parse_scope(f"plugin:{plugin_id}")
    if handler is not None:
        return holds.parse_scope(f"handler:{handler}")
    return holds.QUEUE


async def _wait(session: Session, seconds: float, output: Output, *, is_dry: bool) -> int:
    """How many jobs run still when all have ended, or the time is over."""
    left = 0
    try:
        async with asyncio.timeout(seconds), aclosing(drained(session.inspection)) as steps:
            async for left in steps:
                output.say(f"Running: {left:,}.")
                if is_dry:
                    return left
    except TimeoutError:
        told = counted(left, "job")
        output.say(f"After {seconds:g}s {told} did not end; the queue stays paused.")
        output.say("See them with `imbi-worker jobs list --state running`.")
    return left


def _show(found: QueueReport, output: Output) -> None:
    figures = found.stats
    oldest = found.oldest_due
    waits = f"  the oldest for {oldest.total_seconds():.0f}s" if oldest is not None else ""
    later = max(0, figures.scheduled - found.running)
    size = f"  {figures.dead_bytes:,} bytes" if figures.dead else ""
    output.facts(
        [
            ("due", f"{figures.due:,}{waits}"),
            ("running", f"{found.running:,}"),
            ("later", f"{later:,}  until a retry, or put off"),
            ("behind", f"{max(0, figures.behind - found.parked):,}  another job of their lane"),
            ("parked", f"{found.parked:,}  under {counted(figures.holds, 'hold')}"),
            ("dead", f"{figures.dead:,}{size}"),
            ("live workers", f"{figures.live_workers:,}"),
        ]
    )
    if found.holds:
        output.heading("Holds")
        output.table(HOLD_HEADERS, [hold_row(one) for one in found.holds])
    by_handler = _by_handler(figures.counters)
    if by_handler:
        output.heading("Ended so far")
        headers = ("HANDLER", *(name.upper() for name in _ENDINGS))
        output.table(
            headers,
            [
                (handler, *(f"{counts.get(name, 0):,}" for name in _ENDINGS))
                for handler, counts in sorted(by_handler.items())
            ],
        )


def _by_handler(counters: Mapping[str, int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, count in counters.items():
        ending, _, handler = name.partition(":")
        if ending in _ENDINGS and handler:
            found.setdefault(handler, {})[ending] = count
    return found
