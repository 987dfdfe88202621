"""The pages of jobs: the list, and one with all that is known."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from imbi_worker.dashboard.access import Role
from imbi_worker.dashboard.asking import PAGE, Cursor, Filter, Flag, Id, Question
from imbi_worker.dashboard.markup import Content, Tag, tag
from imbi_worker.dashboard.pages import parts
from imbi_worker.dashboard.pages.frame import View
from imbi_worker.dashboard.problems import Problem
from imbi_worker.operations.explanation import explain
from imbi_worker.operations.filters import parse_filter
from imbi_worker.operations.jobs import JobReport, list_jobs, show_job
from imbi_worker.operations.wording import counted, one_line, reason
from imbi_worker.queue.inspection.views import AttemptView, JobView, State

Refresh = Annotated[str, Field(pattern="^5?$")]
_HEADERS: Final = ("Job", "State", "Handler", "Project", "Attempts", "Age", "Why")


class ListQuestion(Question):
    filter: Filter = ""
    cursor: Cursor = None
    refresh: Refresh = ""


class JobPageQuestion(Question):
    job: Id
    event: Flag = False
    refresh: Refresh = ""


async def show_list(view: View, asked: ListQuestion) -> tuple[str, Content]:
    """Jobs, and the states to choose from."""
    wanted = parse_filter(asked.filter)
    found = await list_jobs(view.desk.inspection, wanted, limit=PAGE, cursor=asked.cursor)
    return "Jobs", (
        parts.search(asked.filter),
        _states(view, asked.filter),
        parts.table(
            "Jobs",
            _HEADERS,
            [row(view, job) for job in found.items],
            empty="No job is like that.",
            is_alone=True,
        ),
        parts.more(view, found),
    )


def row(view: View, job: JobView) -> Sequence[Content]:
    since = job.ended if job.state.is_terminal else job.enqueued
    return (
        parts.short(view, job.id),
        parts.state(job.state),
        tag("code", job.handler or "(not taken in yet)"),
        job.project,
        job.attempts,
        parts.when(since),
        reason(job),
    )


async def show_one(view: View, asked: JobPageQuestion) -> tuple[str, Content]:
    """Everything known of a job; its event only for those who may see it."""
    may_see_event = view.by.role.includes(Role.OPERATOR)
    if asked.event and not may_see_event:
        raise Problem("forbidden", 403, f"The role {view.by.role} may not see events.")
    inspection = view.desk.inspection
    report = await show_job(
        inspection, asked.job, redactor=view.desk.redactor, with_event=asked.event
    )
    why = await explain(inspection, asked.job)
    return f"Job {asked.job[:10]}", (
        tag("p", parts.state(why.state), ": " if why.text else "", why.text, class_="why"),
        parts.facts(_facts(view, report.job)),
        _attempts(report.attempts),
        [_lines(one) for one in report.attempts if one.lines],
        _given(view, report, can_show_event=may_see_event and not asked.event),
        [tag("p", note, class_="note") for note in report.notes],
        parts.commands(*_commands(report.job)),
    )


def _states(view: View, wanted: str) -> Tag:
    """A click on a state keeps what else is asked for."""
    others = " ".join(one for one in wanted.split() if not one.startswith("state:"))
    links = [view.link_with("all", {"filter": others, "cursor": None})]
    for one in State:
        text = f"state:{one} {others}".strip()
        links.append(view.link_with(one, {"filter": text, "cursor": None}))
    return tag("nav", tag("ul", [tag("li", link) for link in links]), aria_label="States")


def _facts(view: View, job: JobView) -> Sequence[tuple[str, Content]]:
    delivery = view.link(f"/deliveries/{job.delivery}", job.delivery) if job.delivery else None
    return (
        ("job", tag("code", job.id)),
        ("handler", tag("code", job.handler)),
        ("project", job.project),
        ("integration", job.plugin_id),
        ("delivery", delivery),
        ("lane", job.lane),
        ("attempts", f"{job.attempts} in run {job.run}"),
        ("crashes", str(job.crashes) if job.crashes else ""),
        ("reported as", job.reported_as),
        ("enqueued", parts.moment_of(job.enqueued)),
        ("started", parts.moment_of(job.started)),
        ("ended", parts.moment_of(job.ended)),
        ("worker", job.worker),
        ("replayed by", job.replayed_by),
        ("cancelled by", job.cancelled_by),
    )


def _attempts(attempts: Sequence[AttemptView]) -> Tag:
    rows = [
        (
            f"{one.run}.{one.number}",
            parts.state(one.outcome),
            parts.when(one.ended),
            parts.seconds(one.duration),
            parts.seconds(one.retry_in),
            one.worker,
            one_line(one.error),
        )
        for one in attempts
    ]
    headers = ("Run.No", "Outcome", "Ended", "Took", "Retry in", "Worker", "Error")
    return parts.table("Attempts", headers, rows, empty="None has ended yet.")


def _lines(attempt: AttemptView) -> Tag:
    """What its action logged, the last of it."""
    caption = f"Log of attempt {attempt.run}.{attempt.number}"
    rows = [
        (parts.stamp(line.at) if line.at else None, line.level, tag("code", line.logger), line.text)
        for line in attempt.lines
    ]
    left = attempt.lines_left_out
    more = f"{counted(left, 'earlier line')} {'was' if left == 1 else 'were'} not kept."
    return tag(
        "section",
        parts.table(caption, ("At", "Level", "Logger", "Line"), rows, empty=""),
        tag("p", more, class_="note") if left else None,
    )


def _given(view: View, report: JobReport, *, can_show_event: bool) -> Content:
    """Context, config and event, redacted."""
    link = view.link_with("Show the event, redacted", {"event": "true"})
    return (
        _section("Context", report.context or None),
        _section("Config", report.config),
        _section("Event", report.event),
        tag("p", link) if can_show_event else None,
    )


def _section(title: str, value: object) -> Tag | None:
    return None if value is None else tag("section", tag("h2", title), parts.source(value))


def _commands(job: JobView) -> Sequence[str]:
    if job.state is State.DEAD:
        return (f"dead replay {job.id} --reason '...'",)
    if job.state.is_terminal:
        return (f"jobs show {job.id}",)
    return (f"jobs retry {job.id} --reason '...'", f"jobs cancel {job.id} --reason '...'")
