"""`imbi-worker jobs`: what waits, runs and has ended; cancelled, or run sooner."""

from contextlib import aclosing
from typing import Annotated

import typer

from imbi_sdk.attempt import Redactor
from imbi_worker.cli import changes, pages
from imbi_worker.cli.options import (
    AllMatching,
    Cursor,
    Delivery,
    DryRun,
    Filter,
    Handler,
    JobId,
    Json,
    Limit,
    Project,
    Reason,
    Utc,
    WithEvent,
    Yes,
)
from imbi_worker.cli.output import Output, counted, stamp
from imbi_worker.cli.selection import filter_of
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import jobs
from imbi_worker.operations.explanation import explain
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.views import JobView, State

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at jobs, cancel them, run them now.",
)

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID|FILTER]...", help="Jobs' ids, or terms like plugin:github."),
]
StateOption = Annotated[State | None, typer.Option("--state", help="Only jobs of this state.")]


@app.command("list")
def list_jobs(
    terms: Filter = None,
    *,
    state: StateOption = None,
    handler: Handler = None,
    project: Project = None,
    delivery: Delivery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """List jobs: unfinished ones first, then those that ended, newest first."""
    output = Output(as_json=as_json, is_utc=utc)
    options = JobFilter(state, handler, project, delivery)

    async def work(session: Session) -> None:
        wanted = filter_of(terms, options)
        page = await jobs.list_jobs(session.inspection, wanted, limit=limit, cursor=cursor)
        if as_json:
            output.records(page.items)
        else:
            output.table(pages.JOB_HEADERS, [pages.job_row(job) for job in page.items])
        output.more(page)

    execute(work, output)


@app.command("show")
def show(
    job: JobId, *, with_event: WithEvent = False, utc: Utc = False, as_json: Json = False
) -> None:
    """Show one job: why it waits, its attempts, its config."""
    output = Output(as_json=as_json, is_utc=utc)

    async def work(session: Session) -> None:
        report = await jobs.show_job(
            session.inspection, job, redactor=Redactor(), with_event=with_event
        )
        if as_json:
            output.record(report)
        else:
            pages.show_report(report, output, with_event=with_event)

    execute(work, output)


@app.command("why")
def why(job: JobId, *, as_json: Json = False) -> None:
    """Say in one sentence why a job is not running."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        found = await explain(session.inspection, job)
        if as_json:
            output.record(found)
        else:
            output.prose(f"{found.state}: {found.text}" if found.text else f"{found.state}")

    execute(work, output)


@app.command("cancel")
def cancel(
    words: Words = None,
    *,
    all_matching: AllMatching = False,
    state: StateOption = None,
    handler: Handler = None,
    project: Project = None,
    delivery: Delivery = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Cancel jobs: waiting, parked, between two attempts, or running.

    A running one ends once its worker has heard of it. Each lane goes on with its next job.
    """
    options = JobFilter(state, handler, project, delivery)
    asked = changes.Asked("cancel", words or (), options, all_matching, reason, dry_run, yes)
    changes.carry_out(asked, Output(as_json=as_json))


@app.command("retry")
def retry(
    words: Words = None,
    *,
    all_matching: AllMatching = False,
    handler: Handler = None,
    project: Project = None,
    delivery: Delivery = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Run waiting jobs now, not at the time of their retry.

    Never against the order of a lane, and never through a hold.
    """
    options = JobFilter(None, handler, project, delivery)
    asked = changes.Asked("run now", words or (), options, all_matching, reason, dry_run, yes)
    changes.carry_out(asked, Output(as_json=as_json))


@app.command("tail")
def tail(
    terms: Filter = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what ends, until Ctrl-C.")
    ] = False,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Print the jobs that ended last, the newest at the end."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        wanted = filter_of(terms)
        found = await jobs.newest_ends(session.inspection, wanted, limit=limit)
        for end in found:
            _tell(end.job, output)
        if not found and not follow:
            output.say("Nothing found.")
        if not follow:
            return
        after = found[-1].place if found else None
        async with aclosing(jobs.coming_ends(session.inspection, wanted, after=after)) as ends:
            async for end in ends:
                _tell(end.job, output)

    execute(work, output)


def _tell(job: JobView, output: Output) -> None:
    if output.as_json:
        output.record(job)
        return
    attempts = counted(job.attempts, "attempt")
    parts = (stamp(job.ended), job.state, job.handler, job.project, attempts, job.id)
    why = pages.reason(job)
    output.prose("  ".join(parts) + (f"  {why}" if why else ""))
