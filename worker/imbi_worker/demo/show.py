"""One demo from the first server to the verdict."""

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from rich.console import Console

from imbi_worker.demo import report
from imbi_worker.demo.cancellation import cancellable, stop
from imbi_worker.demo.director import Director
from imbi_worker.demo.evidence import gather
from imbi_worker.demo.scenes import Scene
from imbi_worker.demo.stage import WORKERS, Stage, set_up
from imbi_worker.demo.story import NUMBERS, STORY
from imbi_worker.demo.view import LiveView, NoView, PlainView
from imbi_worker.demo.watch import View, Watch

ENVIRONMENT_FILE: Final = "environment"
_STORY_WITHIN: Final = timedelta(seconds=45)
_WIDTH: Final = 100
_SHOWN: Final = ("REDIS_URL", "NEO4J_URL", "ACTIONS_IMBI_URL")


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a demo is shown, and whether it stays when it is over."""

    keep: bool = False
    as_json: bool = False

    def console(self) -> Console:
        """Where people read. No terminal and no COLUMNS: a width that every table fits in."""
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH
        return Console(stderr=self.as_json, highlight=False, width=width)


async def tell_story(wishes: Wishes, story: Sequence[Scene] = STORY) -> bool:
    """Play *story*; whether every job ended as it says.

    :raises imbi_worker.embedded.EmbeddedServerError: a server is not installed or does not start
    :raises imbi_worker.demo.crew.CrewError: a worker does not start
    """
    console, began = wishes.console(), time.monotonic()
    announce(console)
    async with set_up(NUMBERS) as stage:
        console.print(f"All there after {time.monotonic() - began:.1f} s: the story begins.\n")
        judged = await _play(console, wishes, stage, story)
        if wishes.as_json:
            sys.stdout.write("".join(f"{line}\n" for line in report.as_json(judged)))
        else:
            report.show(console, judged, timedelta(seconds=time.monotonic() - began))
        is_as_told = all(one.is_as_told for one in judged)
        if not is_as_told:
            show_logs(console, stage)
        if wishes.keep:
            await keep(console, stage)
    return is_as_told


def announce(console: Console) -> None:
    console.print(
        "Starting Valkey, a graph database, a stand-in for Imbi's API and"
        f" {WORKERS} workers, on this machine only ..."
    )


def show_logs(console: Console, stage: Stage) -> None:
    """What the workers said last."""
    console.print(f"\n{stage.crew.last_words()}", markup=False, soft_wrap=True)


async def keep(console: Console, stage: Stage) -> None:
    """Leave everything running, say where, and wait for Ctrl-C."""
    file = stage.directory / ENVIRONMENT_FILE
    lines = [f"export {name}={shlex.quote(value)}" for name, value in stage.settings.items()]
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write("\n".join(lines) + "\n")
    console.print("\nEverything keeps running:")
    for name in _SHOWN:
        console.print(f"  {name:<16} {stage.settings[name]}", markup=False, soft_wrap=True)
    console.print(f"\nIn another shell: . {file}", markup=False, soft_wrap=True)
    console.print("then, for example: imbi-worker jobs list\nCtrl-C ends it all.")
    task = asyncio.current_task()
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    # It was the end that was asked for, not a failure.
    if task is not None:
        task.uncancel()


async def _play(
    console: Console, wishes: Wishes, stage: Stage, story: Sequence[Scene]
) -> tuple[report.Judged, ...]:
    with _view(console, wishes, stage, story) as view:
        watch = Watch(stage.inspection, view)
        director = Director(stage, watch)
        watching = asyncio.create_task(watch.run())
        playing = asyncio.create_task(director.play(story))
        try:
            # Either may fail; neither must then wait for the other.
            done, _ = await asyncio.wait(
                {watching, playing},
                timeout=_STORY_WITHIN.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            has_ended = await _has_ended(done)
        finally:
            await stop(playing)
            await stop(watching)
        await cancellable(watch.look())
    if not has_ended:
        console.print("Something that was to happen did not.", style="bold red")
    evidence = await cancellable(gather(stage, watch.cast, director.redelivered))
    return report.judge(story, evidence)


async def _has_ended(done: set[asyncio.Task[None]]) -> bool:
    try:
        for task in done:
            await task
    except TimeoutError:
        return False
    return bool(done)


@contextmanager
def _view(console: Console, wishes: Wishes, stage: Stage, story: Sequence[Scene]) -> Iterator[View]:
    if wishes.as_json:
        yield NoView()
    elif console.is_terminal:
        with LiveView(console, story, stage.crew, stage.api) as view:
            yield view
    else:
        yield PlainView(console, stage.crew)
