"""Dead letters over HTTP: lists, groups, one of them, their replay and their end."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from imbi_worker.dashboard.access import Person, Role
from imbi_worker.dashboard.asking import Filter, Question
from imbi_worker.dashboard.catalogue.jobs import JobQuestion, JobsQuestion
from imbi_worker.dashboard.catalogue.selection import Selected, Selection, selected
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.endpoint import Endpoint
from imbi_worker.dashboard.problems import Problem
from imbi_worker.operations import dead_groups, dead_letters
from imbi_worker.operations.dead_groups import DeadGroup
from imbi_worker.operations.filters import parse_filter
from imbi_worker.operations.holding import mandate
from imbi_worker.operations.replays import NewConfig, Replay, discard_all, plan_replay, replay_one
from imbi_worker.operations.sources import Source, parse_json
from imbi_worker.queue.dead_letters import Discarded
from imbi_worker.queue.inspection.views import DeadLetterView, Page, State


class GroupsQuestion(Question):
    filter: Filter = ""


class DeadSelection(Selection):
    group: Annotated[
        str | None,
        Field(max_length=64, description="With a filter, which may be empty: of this group only."),
    ] = None


class ReplayQuestion(DeadSelection):
    config: Annotated[
        str | None,
        Field(description="Run with this handler_config, JSON as text; for admins.", repr=False),
    ] = None


@dataclass(frozen=True, slots=True)
class Replays:
    """What became of each. With a *cursor* the filter may name more: go on with it.

    *would fail* stands at those whose config today's model refuses; they are left alone.
    """

    items: tuple[Replay, ...]
    is_dry: bool
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Discards:
    """What became of each. With a *cursor* the filter may name more: go on with it."""

    items: tuple[Discarded, ...]
    is_dry: bool
    cursor: str | None


async def list_dead_letters(desk: Desk, _by: Person, asked: JobsQuestion) -> Page[DeadLetterView]:
    return await dead_letters.list_dead(
        desk.inspection, parse_filter(asked.filter), limit=asked.limit, cursor=asked.cursor
    )


async def list_dead_groups(desk: Desk, _by: Person, asked: GroupsQuestion) -> tuple[DeadGroup, ...]:
    return await dead_groups.list_groups(desk.inspection, parse_filter(asked.filter))


async def show_dead_letter(desk: Desk, _by: Person, asked: JobQuestion) -> DeadLetterView:
    return await dead_letters.dead_letter(desk.inspection, asked.job)


async def replay_dead_letters(desk: Desk, by: Person, asked: ReplayQuestion) -> Replays:
    config = _new_config(desk, by, asked.config)
    permit = mandate(by.actor, asked.reason, looks_only=asked.dry_run)
    found = await _chosen(desk, asked)
    is_bulk = asked.jobs is None
    planned = await plan_replay(
        desk.inspection, found.ids, config=config, checks_configs=is_bulk and config is None
    )
    if asked.dry_run:
        return Replays(planned, is_dry=True, cursor=found.cursor)
    done = [
        await replay_one(
            desk.inspection, one, actor=permit.actor, reason=permit.reason, config=config
        )
        for one in planned
    ]
    return Replays(tuple(done), is_dry=False, cursor=found.cursor)


async def discard_dead_letters(desk: Desk, by: Person, asked: DeadSelection) -> Discards:
    permit = mandate(by.actor, asked.reason, looks_only=asked.dry_run)
    found = await _chosen(desk, asked)
    done: list[Discarded] = []
    steps = discard_all(desk.inspection, found.ids, permit, scope=found.scope)
    async with aclosing(steps):
        async for step in steps:
            done += step
    return Discards(tuple(done), asked.dry_run, found.cursor)


async def _chosen(desk: Desk, asked: DeadSelection) -> Selected:
    """A group has no cursor: what was replayed or discarded has left it."""
    if asked.group is None:
        return await selected(desk.inspection, asked, states=(State.DEAD,))
    if asked.filter is None:
        raise Problem("invalid-input", 400, "A group goes with a filter, which may be empty.")
    ids = await dead_groups.members(desk.inspection, asked.group, parse_filter(asked.filter))
    return Selected(tuple(ids[: asked.limit]), f"group:{asked.group}", None)


def _new_config(desk: Desk, by: Person, text: str | None) -> NewConfig | None:
    """Another config runs actions with stored credentials as nobody's rule says: admins only."""
    if text is None:
        return None
    if not by.role.includes(Role.ADMIN):
        hint = "Leave config out, or ask an admin."
        raise Problem("forbidden", 403, f"The role {by.role} may not replace a config.", hint)
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
        "GET",
        "/dead/groups",
        "Dead letters grouped by handler and error: how many, since when, what to do.",
        list_dead_groups,
        tuple[DeadGroup, ...],
        asks=GroupsQuestion,
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
        "POST",
        "/dead/discard",
        "Throw dead letters away for good: nothing can replay them then.",
        discard_dead_letters,
        Discards,
        asks=DeadSelection,
        role=Role.ADMIN,
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
