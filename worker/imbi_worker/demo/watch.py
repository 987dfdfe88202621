"""What Redis says of the demo's jobs, read again and again."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from imbi_worker.demo.parts import Part
from imbi_worker.demo.pulse import Pulse
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.views import HoldView, JobView

_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Cast:
    """A job that was enqueued, and the part it plays.

    *scene* counts from 1; *webhook* is service and event type, as people say them.
    """

    id: str
    scene: int
    webhook: str
    project: str
    part: Part


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at Redis, *elapsed* after the curtain rose."""

    elapsed: timedelta
    at: datetime
    cast: tuple[Cast, ...] = ()
    jobs: Mapping[str, JobView] = field(default_factory=dict)
    holds: tuple[HoldView, ...] = ()

    def has_ended(self, scene: int | None = None) -> bool:
        """Whether every job, or every job of *scene*, is in a terminal state."""
        wanted = [member for member in self.cast if scene in {None, member.scene}]
        found = [self.jobs.get(member.id) for member in wanted]
        return bool(found) and all(job is not None and job.state.is_terminal for job in found)


class View(Protocol):
    """Shows what was seen."""

    def show(self, snapshot: Snapshot) -> None:
        """Called after every look."""
        ...


class Watch:
    """Looks ten times a second, shows what it saw, and wakes whoever waits for something."""

    def __init__(self, inspection: Inspection, view: View) -> None:
        self.cast: list[Cast] = []
        self._inspection = inspection
        self._view = view
        self._began = time.monotonic()
        self._seen = Pulse()
        self.latest = Snapshot(timedelta(0), datetime.now(UTC))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        cast = tuple(self.cast)
        self.latest = Snapshot(
            elapsed=timedelta(seconds=time.monotonic() - self._began),
            at=datetime.now(UTC),
            cast=cast,
            jobs=await self._inspection.jobs([member.id for member in cast]),
            holds=await self._inspection.holds(),
        )
        self._view.show(self.latest)
        self._seen.beat()

    async def until(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot that meets *condition*, from the next look on."""
        while True:
            await self._seen.wait()
            if condition(self.latest):
                return self.latest
