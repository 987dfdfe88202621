"""Which jobs a change is for: named one by one, or a page of what a filter names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field, model_validator

from imbi_worker.dashboard.asking import PAGE, Count, Cursor, Filter, Ids, Question, Reason
from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.filters import filter_text, jobs_text, parse_filter
from imbi_worker.operations.jobs import list_jobs
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.views import State


class Selection(Question):
    """What a change is for, and why."""

    jobs: Ids = None
    filter: Filter | None = None
    limit: Count = PAGE
    cursor: Cursor = None
    dry_run: Annotated[bool, Field(description="Say what would happen; write nothing.")] = False
    reason: Reason

    @model_validator(mode="after")
    def _one_way(self) -> "Selection":
        if (self.jobs is None) == (self.filter is None):
            raise ValueError("name jobs or a filter, one of the two")
        return self


@dataclass(frozen=True, slots=True)
class Selected:
    """The ids, what the audit calls them, and where a filter's next page begins."""

    ids: tuple[str, ...]
    scope: str
    cursor: str | None


async def selected(
    inspection: Inspection, asked: Selection, *, states: Sequence[State]
) -> Selected:
    """The jobs that are meant; of a filter's those of *states*, one state after the other.

    :raises InvalidInput: the filter names another state, or the cursor is from elsewhere
    """
    if asked.jobs is not None:
        return Selected(asked.jobs, jobs_text(asked.jobs), None)
    wanted = parse_filter(asked.filter or "")
    if wanted.state is not None and wanted.state not in states:
        raise InvalidInput(f"Of jobs that are {wanted.state} none can be changed so.")
    left = [wanted.state] if wanted.state is not None else list(states)
    # The next page begins in one of the states, there at the list's own cursor.
    name, _, place = (asked.cursor or f"{left[0]}/").partition("/")
    if name not in left:
        hint = "Leave the cursor out to begin at the top."
        raise InvalidInput("The cursor is from another list.", hint)
    here, *later = left[left.index(State(name)) :]
    page = await list_jobs(
        inspection, replace(wanted, state=here), limit=asked.limit, cursor=place or None
    )
    following = f"{here}/{page.cursor}" if page.cursor else None
    if following is None and later:
        following = f"{later[0]}/"
    return Selected(tuple(job.id for job in page.items), filter_text(wanted), following)
