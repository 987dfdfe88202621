"""`imbi-worker jobs`: what waits, runs and has ended."""

from typing import Annotated

import typer

from imbi_sdk.attempt import Redactor
from imbi_worker.cli import pages
from imbi_worker.cli.options import (
    Cursor,
    Delivery,
    Handler,
    JobId,
    Json,
    Limit,
    Project,
    WithEvent,
)
from imbi_worker.cli.output import Output
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import jobs
from imbi_worker.queue.inspection.listing import JobFilter
from imbi_worker.queue.inspection.views import State

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at jobs: waiting, running and ended.",
)


@app.command("list")
def list_jobs(
    *,
    state: Annotated[State | None, typer.Option(help="Only jobs of this state.")] = None,
    handler: Handler = None,
    project: Project = None,
    delivery: Delivery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List jobs: unfinished ones first, then those that ended, newest first."""
    output = Output(as_json=as_json)
    wanted = JobFilter(state, handler, project, delivery)

    async def work(session: Session) -> None:
        page = await jobs.list_jobs(session.inspection, wanted, limit=limit, cursor=cursor)
        if as_json:
            output.records(page.items)
        else:
            output.table(pages.JOB_HEADERS, [pages.job_row(job) for job in page.items])
        output.more(page)

    execute(work, output)


@app.command("show")
def show(job: JobId, *, with_event: WithEvent = False, as_json: Json = False) -> None:
    """Show one job: why it waits, its attempts, its config."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        report = await jobs.show_job(
            session.inspection, job, redactor=Redactor(), with_event=with_event
        )
        if as_json:
            output.record(report)
        else:
            pages.show_report(report, output, with_event=with_event)

    execute(work, output)
