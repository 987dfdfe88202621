"""The pages of dead letters: in groups, and one by one."""

import shlex
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from imbi_worker.dashboard.asking import PAGE
from imbi_worker.dashboard.markup import Content, tag
from imbi_worker.dashboard.pages import parts
from imbi_worker.dashboard.pages.frame import View
from imbi_worker.dashboard.pages.jobs import ListQuestion
from imbi_worker.operations import dead_groups
from imbi_worker.operations.dead_groups import DeadGroup
from imbi_worker.operations.dead_letters import list_dead
from imbi_worker.operations.errors import operation_errors
from imbi_worker.operations.filters import parse_filter
from imbi_worker.operations.wording import one_line, reason
from imbi_worker.queue.inspection.views import DeadLetterView, Page

GROUPS: Final = ("Count", "Group", "Handler", "First", "Last", "Hint", "Error")
_HEADERS: Final = ("Job", "Handler", "Project", "Died", "Attempts", "Why", "Replay")


class DeadQuestion(ListQuestion):
    group: Annotated[str, Field(max_length=64)] = ""


async def show_list(view: View, asked: DeadQuestion) -> tuple[str, Content]:
    """Those that a filter names, or of one group."""
    found = await _found(view, asked)
    title = f"Dead letters of group {asked.group}" if asked.group else "Dead letters"
    which = f"--group {asked.group}" if asked.group else "--all-matching"
    terms = f" {shlex.quote(asked.filter)}" if asked.filter else ""
    return title, (
        parts.search(asked.filter),
        tag("p", view.link("/dead/groups", "In groups, by handler and error")),
        parts.table(
            title,
            _HEADERS,
            [_row(view, one) for one in found.items],
            empty="No dead letter is like that.",
            is_alone=True,
        ),
        parts.more(view, found),
        parts.commands(f"dead replay{terms} {which} --reason '...' --dry-run"),
    )


async def show_groups(view: View, asked: ListQuestion) -> tuple[str, Content]:
    """All of them, however many, in a few lines."""
    found = await dead_groups.list_groups(view.desk.inspection, parse_filter(asked.filter))
    return "Dead letters in groups", (
        parts.search(asked.filter),
        tag("p", view.link("/dead", "One by one")),
        parts.table(
            "Groups",
            GROUPS,
            [group_row(view, one) for one in found],
            empty="No dead letter is like that.",
            is_alone=True,
        ),
        parts.commands("dead replay --group GROUP --reason '...' --dry-run"),
    )


def group_row(view: View, group: DeadGroup) -> Sequence[Content]:
    return (
        group.count,
        view.link("/dead", tag("code", group.id), query={"group": group.id}),
        tag("code", group.handler),
        parts.when(group.first),
        parts.when(group.last),
        group.hint,
        one_line(dead_groups.cause(group)),
    )


async def _found(view: View, asked: DeadQuestion) -> Page[DeadLetterView]:
    inspection, wanted = view.desk.inspection, parse_filter(asked.filter)
    if not asked.group:
        return await list_dead(inspection, wanted, limit=PAGE, cursor=asked.cursor)
    ids = await dead_groups.members(inspection, asked.group, wanted)
    with operation_errors():
        letters = await inspection.dead_letters(ids[:PAGE])
    return Page(tuple(letters.values()), None, max(0, len(ids) - PAGE), is_exact=True)


def _row(view: View, one: DeadLetterView) -> Sequence[Content]:
    replay = "event gone" if not one.has_event else "later ones ran" if one.later_ran else ""
    return (
        parts.short(view, one.job.id),
        tag("code", one.job.handler),
        one.job.project,
        parts.when(one.died),
        one.job.attempts,
        reason(one.job),
        replay,
    )
