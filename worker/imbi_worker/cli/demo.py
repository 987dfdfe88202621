"""`imbi-worker demo`: the whole of it on this machine, with nothing to set up."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated

import typer

from imbi_worker.cli.options import Json
from imbi_worker.demo.batch import run_batch
from imbi_worker.demo.bodies import BodiesError, read_bodies
from imbi_worker.demo.crew import CrewError
from imbi_worker.demo.show import Wishes, tell_story
from imbi_worker.embedded import EmbeddedServerError

_NOT_AS_TOLD = 1
_USAGE = 2
_UNAVAILABLE = 69
_INTERRUPTED = 130


def demo(
    *,
    deliveries: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Run the JSON bodies of this folder instead: <event type>.<anything>.json.",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start servers and workers here, play a story of what can go wrong, and check its end."""
    wishes = Wishes(keep=keep, as_json=as_json)
    try:
        if deliveries is None:
            is_good = asyncio.run(_until_stopped(tell_story(wishes)))
        else:
            bodies = read_bodies(deliveries)
            is_good = asyncio.run(_until_stopped(run_batch(bodies, wishes)))
    except BodiesError as error:
        raise _failed(error, _USAGE) from None
    except EmbeddedServerError as error:
        raise _failed(error, _UNAVAILABLE) from None
    except CrewError as error:
        raise _failed(error, _NOT_AS_TOLD) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.echo("imbi-worker: interrupted; everything was stopped", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    if not is_good:
        raise typer.Exit(_NOT_AS_TOLD)


async def _until_stopped(playing: Coroutine[None, None, bool]) -> bool:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does: with nothing left behind."""
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await playing


def _failed(error: Exception, code: int) -> typer.Exit:
    typer.echo(f"imbi-worker: {error}", err=True)
    return typer.Exit(code)
