"""The jobs of the story while it plays: a table that moves, or a line for each change."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from imbi_worker.builtin.update_project import HANDLER as UPDATE
from imbi_worker.demo.crew import Crew, Worker
from imbi_worker.demo.imbi_api import ImbiApi
from imbi_worker.demo.parts import Part
from imbi_worker.demo.scenes import Scene
from imbi_worker.demo.watch import Cast, Snapshot
from imbi_worker.queue.inspection.views import JobView, State, Wait

_COLUMNS = (("#", 2), ("project", 12), ("handler", 36), ("state", 9), ("", 36))
_STYLES = {
    State.WAITING: "yellow",
    State.RUNNING: "cyan",
    State.SUCCEEDED: "green",
    State.SKIPPED: "green",
    State.DEAD: "red",
    State.CANCELLED: "magenta",
}


def named(part: Part) -> Text:
    """The handler, and where there is room for it the mark, which tells two jobs apart."""
    text = Text(part.handler)
    if part.handler != UPDATE and part.mark:
        text.append(f" {part.mark}", style="dim")
    return text


def styled(state: State) -> Text:
    return Text(state.value, style=_STYLES[state])


class LiveView:
    """For a terminal. It clears itself away when it ends: the report has the last word."""

    def __init__(self, console: Console, story: Sequence[Scene], crew: Crew, api: ImbiApi) -> None:
        self._story = story
        self._crew = crew
        self._api = api
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        self._live.update(self._picture(snapshot), refresh=True)

    def _picture(self, snapshot: Snapshot) -> RenderableType:
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
        for heading, width in _COLUMNS:
            table.add_column(heading, width=width, no_wrap=True, overflow="ellipsis")
        for member in sorted(snapshot.cast, key=lambda one: one.scene):
            job = snapshot.jobs.get(member.id)
            if job is not None:
                table.add_row(
                    str(member.scene),
                    member.project,
                    named(member.part),
                    styled(job.state),
                    self._now(member, job, snapshot.at),
                )
        return Group(self._heading(snapshot), self._workers(snapshot), Text(), table)

    def _heading(self, snapshot: Snapshot) -> Text:
        ended = sum(job.state.is_terminal for job in snapshot.jobs.values())
        text = Text(f"{snapshot.elapsed.total_seconds():5.1f} s", style="bold")
        text.append(f"   {ended:>2} of {len(snapshot.cast):>2} jobs have ended")
        text.append(f"   {len(self._api.requests):>3} requests at the stand-in API")
        return text

    def _workers(self, snapshot: Snapshot) -> Text:
        running = [job for job in snapshot.jobs.values() if job.state is State.RUNNING]
        text = Text()
        for worker in self._crew.workers:
            count = sum(self._crew.worker(job.worker) is worker for job in running)
            if worker.is_alive:
                text.append(f"{worker.name}: {count} running   ")
            else:
                text.append(f"{worker.name}: killed   ", style="red")
        return text

    def _now(self, member: Cast, job: JobView, at: datetime) -> Text:
        if job.state.is_good:
            return Text(self._story[member.scene - 1].title, style="dim")
        return Text(now(job, self._crew, at))


class PlainView:
    """For a pipe or a file: a line whenever a job's state has changed."""

    def __init__(self, console: Console, crew: Crew) -> None:
        self._console = console
        self._crew = crew
        self._told: dict[str, tuple[str, int, int, bool]] = {}

    def show(self, snapshot: Snapshot) -> None:
        for member in snapshot.cast:
            job = snapshot.jobs.get(member.id)
            if job is None:
                continue
            is_held = job.wait is not None and job.wait.kind == "hold"
            told = (job.state.value, job.run, job.attempts, is_held)
            if self._told.get(job.id) != told:
                self._told[job.id] = told
                self._console.print(
                    f"{snapshot.elapsed.total_seconds():5.1f} s  #{member.scene:<2}"
                    f" {member.project:<12} {named(member.part).plain:<36} {job.state.value:<9}"
                    f" {now(job, self._crew, snapshot.at)}".rstrip(),
                    soft_wrap=True,
                    highlight=False,
                    markup=False,
                )


class NoView:
    """For ``--json``: the report says it all."""

    def show(self, snapshot: Snapshot) -> None:
        """Nothing."""


def now(job: JobView, crew: Crew, at: datetime) -> str:
    """In a few words what the job does, waits for, or ended with."""
    if job.state is State.RUNNING:
        return _running(job, crew.worker(job.worker))
    if job.wait is not None:
        return _waiting(job.wait, job.error, at)
    return job.reason or ("after a replay" if job.run > 1 else "")


def _running(job: JobView, worker: Worker | None) -> str:
    attempt = f"attempt {job.attempts + 1}"
    if worker is None:
        return attempt
    if not worker.is_alive:
        return f"{worker.name} is dead: its lease runs out"
    return f"{attempt} on {worker.name}"


def _waiting(wait: Wait, error: str, at: datetime) -> str:
    left = max(0.0, (wait.until - at).total_seconds()) if wait.until else 0.0
    match wait.kind:
        case "lane":
            return "its turn comes in its lane"
        case "retry":
            return f"again in {left:.1f} s: {error.partition(':')[0]}"
        case "hold":
            return f"held, {left:.1f} s to go"
        case _:
            return "due"
