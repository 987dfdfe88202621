"""`imbi-worker status`: the queue on one screen, once or again and again."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import typer

from imbi_worker.cli import durations
from imbi_worker.cli.options import Json, Utc
from imbi_worker.cli.output import Output
from imbi_worker.cli.screens import show_status
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.status import Status
from imbi_worker.operations.status import status as read_status
from imbi_worker.settings import Settings

_LEAST = timedelta(milliseconds=200)


def status(
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again until Ctrl-C.")
    ] = False,
    every: Annotated[str, typer.Option(help="With --watch, how often: 500ms, 2s, 1m.")] = "2s",
    limit: Annotated[
        int, typer.Option(min=1, max=1_000, help="Most running jobs and groups to print.")
    ] = 20,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """Show the queue on one screen: figures, running jobs, failures, plugins, workers.

    What runs stands with the time it has used of its timeout.
    """
    output = Output(as_json=as_json, is_utc=utc)

    async def work(session: Session) -> None:
        pause = durations.parse(every)
        if pause < _LEAST:
            raise InvalidInput("That is more often than anybody can read.", "Pass --every 1s.")
        while True:
            found = await read_status(
                session.inspection, limit=limit, timeout_of=_timeouts(session.settings)
            )
            _show(found, output, is_watched=watch)
            if not watch:
                return
            await asyncio.sleep(pause.total_seconds())

    execute(work, output)


def _show(found: Status, output: Output, *, is_watched: bool) -> None:
    if output.as_json:
        output.record(found)
    else:
        if is_watched:
            output.clear()
        show_status(found, output)


def _timeouts(settings: Settings) -> Callable[[str], timedelta]:
    """What the settings here say; workers that tell their own come first."""
    return lambda handler: settings.timeouts.get(handler, settings.timeout)
