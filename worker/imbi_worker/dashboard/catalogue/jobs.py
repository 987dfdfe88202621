"""Jobs over HTTP: lists, one with all that is known, why it waits, cancel and run now."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from imbi_worker.dashboard.access import Person, Role
from imbi_worker.dashboard.asking import PAGE, Cursor, Filter, Flag, Id, Limit, Question
from imbi_worker.dashboard.catalogue.selection import Selection, selected
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.endpoint import Endpoint, Entries, TailEndpoint
from imbi_worker.dashboard.problems import Problem
from imbi_worker.operations import jobs
from imbi_worker.operations.control import Change, Verb, change
from imbi_worker.operations.explanation import Explanation, explain
from imbi_worker.operations.filters import parse_filter
from imbi_worker.operations.holding import mandate
from imbi_worker.operations.jobs import JobReport
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.views import JobView, Page, State


class JobsQuestion(Question):
    filter: Filter = ""
    limit: Limit = PAGE
    cursor: Cursor = None


class TailQuestion(Question):
    filter: Filter = ""


class JobQuestion(Question):
    job: Id


class JobReportQuestion(JobQuestion):
    event: Annotated[
        Flag, Field(description="The event, too, redacted; for operators and admins.")
    ] = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of each job. With a *cursor* the filter may name more: go on with it."""

    items: tuple[Change, ...]
    is_dry: bool
    cursor: str | None


async def list_jobs(desk: Desk, _by: Person, asked: JobsQuestion) -> Page[JobView]:
    return await jobs.list_jobs(
        desk.inspection, parse_filter(asked.filter), limit=asked.limit, cursor=asked.cursor
    )


async def show_job(desk: Desk, by: Person, asked: JobReportQuestion) -> JobReport:
    if asked.event and not by.role.includes(Role.OPERATOR):
        told = f"The role {by.role} may not see events."
        raise Problem("forbidden", 403, told, "Leave event out.")
    return await jobs.show_job(
        desk.inspection, asked.job, redactor=desk.redactor, with_event=asked.event
    )


async def explain_job(desk: Desk, _by: Person, asked: JobQuestion) -> Explanation:
    return await explain(desk.inspection, asked.job)


def tail_jobs(desk: Desk, asked: TailQuestion, after: str | None) -> Entries:
    """A filter that cannot be read is refused before the stream begins."""
    return _ends(desk, parse_filter(asked.filter), after)


async def _ends(desk: Desk, wanted: JobFilter, after: str | None) -> Entries:
    async with aclosing(jobs.coming_ends(desk.inspection, wanted, after=after)) as ends:
        async for end in ends:
            yield end.place, end.job


async def cancel_jobs(desk: Desk, by: Person, asked: Selection) -> Changes:
    return await _change(desk, by, asked, "cancel", (State.WAITING, State.RUNNING))


async def run_jobs_now(desk: Desk, by: Person, asked: Selection) -> Changes:
    return await _change(desk, by, asked, "run now", (State.WAITING,))


async def _change(
    desk: Desk, by: Person, asked: Selection, verb: Verb, states: Sequence[State]
) -> Changes:
    found = await selected(desk.inspection, asked, states=states)
    permit = mandate(by.actor, asked.reason, looks_only=asked.dry_run)
    done: list[Change] = []
    steps = change(desk.inspection, verb, found.ids, permit, scope=found.scope)
    async with aclosing(steps):
        async for step in steps:
            done += step
    return Changes(tuple(done), asked.dry_run, found.cursor)


ENDPOINTS: Final[Sequence[Endpoint]] = (
    Endpoint(
        "GET",
        "/jobs",
        "Jobs: unfinished ones first, then those that ended, newest first.",
        list_jobs,
        Page[JobView],
        asks=JobsQuestion,
    ),
    Endpoint(
        "POST",
        "/jobs/cancel",
        "Cancel jobs: waiting, parked, between two attempts, or running.",
        cancel_jobs,
        Changes,
        asks=Selection,
        role=Role.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/jobs/retry",
        "Run waiting jobs now, not at the time of their retry; never against their lane's order.",
        run_jobs_now,
        Changes,
        asks=Selection,
        role=Role.OPERATOR,
    ),
    Endpoint(
        "GET",
        "/jobs/{job}/why",
        "Why a job is not running, in a sentence.",
        explain_job,
        Explanation,
        asks=JobQuestion,
    ),
    Endpoint(
        "GET",
        "/jobs/{job}",
        "One job: its attempts, context and config, redacted.",
        show_job,
        JobReport,
        asks=JobReportQuestion,
    ),
)
TAILS: Final[Sequence[TailEndpoint]] = (
    TailEndpoint("/jobs/tail", "Jobs as they end.", tail_jobs, JobView, asks=TailQuestion),
)
