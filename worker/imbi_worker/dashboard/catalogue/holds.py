"""The queue and its holds over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from imbi_worker.dashboard.access import Person, Role
from imbi_worker.dashboard.asking import DurationText, Question, Reason, duration
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.endpoint import Endpoint
from imbi_worker.operations import holding, holds
from imbi_worker.operations.holding import Release
from imbi_worker.operations.queue import QueueReport, report
from imbi_worker.queue.control import Held
from imbi_worker.queue.inspection.views import HoldView

Scope = Annotated[
    str,
    Field(
        max_length=500,
        description="`queue`, `plugin:<plugin id>` or `handler:<plugin>#<action>`.",
    ),
]
DryRun = Annotated[bool, Field(description="Say what would happen; write nothing.")]


class HoldQuestion(Question):
    scope: Scope
    lasts: DurationText = None
    dry_run: DryRun = False
    reason: Reason


class ReleaseQuestion(Question):
    scope: Scope
    dry_run: DryRun = False
    reason: Reason


class PauseQuestion(Question):
    dry_run: DryRun = False
    reason: Reason


@dataclass(frozen=True, slots=True)
class Load:
    """What an autoscaler needs: *load* is what is due or runs."""

    load: int
    due: int
    running: int


async def show_queue(desk: Desk, _by: Person, _asked: Question) -> QueueReport:
    return await report(desk.inspection)


async def show_load(desk: Desk, _by: Person, _asked: Question) -> Load:
    found = await report(desk.inspection)
    return Load(found.stats.due + found.running, found.stats.due, found.running)


async def list_holds(desk: Desk, _by: Person, _asked: Question) -> tuple[HoldView, ...]:
    return await holds.list_holds(desk.inspection)


async def add_hold(desk: Desk, by: Person, asked: HoldQuestion) -> Held:
    permit = holding.mandate(by.actor, asked.reason, looks_only=asked.dry_run)
    scope = holds.parse_scope(asked.scope)
    return await holding.add_hold(desk.inspection, scope, span=duration(asked.lasts), by=permit)


async def remove_hold(desk: Desk, by: Person, asked: ReleaseQuestion) -> Release:
    permit = holding.mandate(by.actor, asked.reason, looks_only=asked.dry_run)
    return await holding.remove_hold(desk.inspection, holds.parse_scope(asked.scope), by=permit)


async def pause_queue(desk: Desk, by: Person, asked: PauseQuestion) -> Held:
    permit = holding.mandate(by.actor, asked.reason, looks_only=asked.dry_run)
    return await holding.add_hold(desk.inspection, holds.QUEUE, span=None, by=permit)


async def resume_queue(desk: Desk, by: Person, asked: PauseQuestion) -> Release:
    permit = holding.mandate(by.actor, asked.reason, looks_only=asked.dry_run)
    return await holding.remove_hold(desk.inspection, holds.QUEUE, by=permit)


ENDPOINTS: Final[Sequence[Endpoint]] = (
    Endpoint(
        "GET", "/queue", "The queue in figures, its holds, how jobs ended.", show_queue, QueueReport
    ),
    Endpoint("GET", "/scaling", "What an autoscaler needs: due and running.", show_load, Load),
    Endpoint(
        "POST",
        "/queue/pause",
        "Begin no more jobs; what runs goes on.",
        pause_queue,
        Held,
        asks=PauseQuestion,
        role=Role.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/queue/resume",
        "Let jobs begin again, in the order they had.",
        resume_queue,
        Release,
        asks=PauseQuestion,
        role=Role.OPERATOR,
    ),
    Endpoint(
        "GET",
        "/holds",
        "Every hold, the one that ends first at the top.",
        list_holds,
        tuple[HoldView, ...],
    ),
    Endpoint(
        "POST",
        "/holds/add",
        "Hold the queue, an integration or a handler, for a time or until removed.",
        add_hold,
        Held,
        asks=HoldQuestion,
        role=Role.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/holds/remove",
        "Remove a hold, a rate limit too, and give its parked jobs back in their order.",
        remove_hold,
        Release,
        asks=ReleaseQuestion,
        role=Role.OPERATOR,
    ),
)
