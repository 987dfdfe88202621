"""Dead letters over HTTP: lists, one of them, and their replay."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from imbi_worker.dashboard.access import Person, Role
from imbi_worker.dashboard.catalogue.jobs import JobQuestion, JobsQuestion
from imbi_worker.dashboard.catalogue.selection import Selection, selected
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.endpoint import Endpoint
from imbi_worker.dashboard.problems import Problem
from imbi_worker.operations import dead_letters
from imbi_worker.operations.dead_letters import NewConfig, Replay, plan_replay, replay_one
from imbi_worker.operations.enqueueing import Source, parse_json
from imbi_worker.operations.filters import parse_filter
from imbi_worker.operations.holds import mandate
from imbi_worker.queue.inspection.views import DeadLetterView, Page, State


class ReplayQuestion(Selection):
    config: Annotated[
        str | None,
        Field(description="Run with this handler_config, JSON as text; for admins.", repr=False),
    ] = None


@dataclass(frozen=True, slots=True)
class Replays:
    """What became of each. With a *cursor* the filter may name more: go on with it."""

    items: tuple[Replay, ...]
    is_dry: bool
    cursor: str | None


async def list_dead_letters(desk: Desk, _by: Person, asked: JobsQuestion) -> Page[DeadLetterView]:
    return await dead_letters.list_dead(
        desk.inspection, parse_filter(asked.filter), limit=asked.limit, cursor=asked.cursor
    )


async def show_dead_letter(desk: Desk, _by: Person, asked: JobQuestion) -> DeadLetterView:
    return await dead_letters.dead_letter(desk.inspection, asked.job)


async def replay_dead_letters(desk: Desk, by: Person, asked: ReplayQuestion) -> Replays:
    config = _new_config(desk, by, asked.config)
    permit = mandate(by.actor, asked.reason, looks_only=asked.dry_run)
    found = await selected(desk.inspection, asked, state=State.DEAD)
    planned = await plan_replay(desk.inspection, found.ids, config=config)
    if asked.dry_run:
        return Replays(planned, is_dry=True, cursor=found.cursor)
    done = [
        await replay_one(
            desk.inspection, one, actor=permit.actor, reason=permit.reason, config=config
        )
        for one in planned
    ]
    return Replays(tuple(done), is_dry=False, cursor=found.cursor)


def _new_config(desk: Desk, by: Person, text: str | None) -> NewConfig | None:
    """Another config runs actions with stored credentials as nobody's rule says: admins only."""
    if text is None:
        return None
    if not by.role.includes(Role.ADMIN):
        hint = "Leave config out, or ask an admin."
        raise Problem("forbidden", 403, f"A {by.role} may not replace a config.", hint)
    parse_json(Source("config", text))
    return NewConfig(text, desk.signer, desk.accepts_unsigned)


ENDPOINTS: Final[Sequence[Endpoint]] = (
    Endpoint(
        "GET",
        "/dead",
        "Dead letters, newest first.",
        list_dead_letters,
        Page[DeadLetterView],
        asks=JobsQuestion,
    ),
    Endpoint(
        "POST",
        "/dead/replay",
        "Run dead letters again, each at the tail of its lane.",
        replay_dead_letters,
        Replays,
        asks=ReplayQuestion,
        role=Role.OPERATOR,
    ),
    Endpoint(
        "GET",
        "/dead/{job}",
        "One dead letter; the job itself has the rest.",
        show_dead_letter,
        DeadLetterView,
        asks=JobQuestion,
    ),
)
