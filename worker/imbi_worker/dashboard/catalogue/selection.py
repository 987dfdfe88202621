"""Which jobs a change is for: named one by one, or a page of what a filter names."""

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field, model_validator

from imbi_worker.dashboard.asking import PAGE, Count, Cursor, Filter, Ids, Question, Reason
from imbi_worker.operations.control import filter_text, jobs_text
from imbi_worker.operations.filters import parse_filter
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
    inspection: Inspection, asked: Selection, *, state: State | None = None
) -> Selected:
    """The jobs that are meant, of one *state* where only such can be changed."""
    if asked.jobs is not None:
        return Selected(asked.jobs, jobs_text(asked.jobs), None)
    filtered = parse_filter(asked.filter or "")
    if state is not None:
        filtered = replace(filtered, state=state)
    page = await list_jobs(inspection, filtered, limit=asked.limit, cursor=asked.cursor)
    return Selected(tuple(job.id for job in page.items), filter_text(filtered), page.cursor)
