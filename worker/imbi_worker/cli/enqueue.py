"""`imbi-worker enqueue`: jobs by hand, and what becomes of them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from imbi_sdk.queue import EnqueueStatus
from imbi_worker import wiring
from imbi_worker.cli import durations, pages
from imbi_worker.cli.options import Json
from imbi_worker.cli.orders import Asked, read_order
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations import enqueueing
from imbi_worker.operations.enqueueing import EnqueuedView
from imbi_worker.queue.inspection.views import JobView

_HEADERS = ("ID", "HANDLER", "PROJECT", "STATUS")


def enqueue(
    handlers: Annotated[
        list[str] | None, typer.Argument(metavar="[HANDLER]...", help="<plugin>#<action>.")
    ] = None,
    *,
    rules: Annotated[
        Path | None, typer.Option(help="A JSON list of rules, in place of handlers.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The handler_config of a single handler.")
    ] = None,
    event: Annotated[
        Path | None, typer.Option(help="An event context, as the gateway builds it.")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="A webhook's body; an event context is put around it.")
    ] = None,
    event_type: Annotated[str, typer.Option("--type", help="The event's type, with --body.")] = "",
    service: Annotated[str | None, typer.Option(help="Slug of the third-party service.")] = None,
    project: Annotated[
        list[str] | None, typer.Option(metavar="ID[:SLUG]", help="A project; may be repeated.")
    ] = None,
    org: Annotated[str, typer.Option(help="Slug of the organization.")] = "",
    team: Annotated[str | None, typer.Option(help="Slug of the team.")] = None,
    plugin_id: Annotated[
        list[str] | None,
        typer.Option(metavar="SLUG=ID", help="The plugin id in the graph; may be repeated."),
    ] = None,
    delivery: Annotated[
        str | None, typer.Option(help="Delivery id; else the sender's, else the text's SHA-256.")
    ] = None,
    webhook: Annotated[str, typer.Option(help="Webhook id.")] = "cli",
    external_identifier: Annotated[
        str, typer.Option(help="What the service calls the project.")
    ] = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the jobs; exit with 1 unless all end well.")
    ] = False,
    timeout: Annotated[str, typer.Option(help="How long --wait waits: 30s, 5m, 1h.")] = "60s",
    as_json: Json = False,
) -> None:
    """Enqueue jobs by hand, as a gateway would.

    Every file may be '-' for stdin. The same delivery enqueued twice gives no second job:
    it prints `duplicate`, or `revived` for a dead one.
    """
    output = Output(as_json=as_json)
    asked = Asked(
        handlers=handlers or (),
        rules=rules,
        config=config,
        event=event,
        body=body,
        event_type=event_type,
        service=service,
        projects=project or (),
        org=org,
        team=team,
        plugin_ids=plugin_id or (),
        delivery=delivery,
        webhook=webhook,
        external_identifier=external_identifier,
    )

    async def work(session: Session) -> int:
        seconds = durations.parse(timeout).total_seconds()
        jobs = await _enqueue(session, asked)
        if wait:
            return await _follow(session, jobs, seconds, output)
        _show(jobs, output)
        return OK

    execute(work, output)


async def _enqueue(session: Session, asked: Asked) -> Sequence[EnqueuedView]:
    order = read_order(asked)
    return await enqueueing.enqueue(wiring.action_queue(session.redis, session.settings), order)


async def _follow(
    session: Session, jobs: Sequence[EnqueuedView], seconds: float, output: Output
) -> int:
    """Wait for the end of each job; whether all ended well is the exit code."""
    for job in jobs:
        output.say(f"{job.job} {job.handler} {job.status}")
    open_jobs = {job.job for job in jobs}
    ended: list[JobView] = []
    try:
        async with asyncio.timeout(seconds):
            async for view in enqueueing.ended(session.inspection, list(open_jobs)):
                open_jobs.discard(view.id)
                ended.append(view)
                output.say(f"{view.id} {view.handler} {view.state}")
    except TimeoutError:
        output.say(f"{len(open_jobs):,} of {len(jobs):,} have not ended within {seconds:g}s.")
        for id_ in sorted(open_jobs)[:10]:
            output.say(f"See `imbi-worker jobs show {id_}`.")
    known = await session.inspection.jobs([job.job for job in jobs])
    found = [known[job.job] for job in jobs if job.job in known]
    if output.as_json:
        output.records(found)
    else:
        output.table(pages.JOB_HEADERS, [pages.job_row(job) for job in found])
    is_good = len(ended) == len(jobs) and all(view.state.is_good for view in ended)
    return OK if is_good else FAILED


def _show(jobs: Sequence[EnqueuedView], output: Output) -> None:
    if output.as_json:
        output.records(jobs)
    else:
        rows = [(job.job, job.handler, job.project, job.status) for job in jobs]
        output.table(_HEADERS, rows)
    counts = Counter(job.status for job in jobs)
    output.say(", ".join(f"{count:,} {status}" for status, count in counts.items()))
    if counts[EnqueueStatus.DUPLICATE]:
        output.say("Duplicates were enqueued before: pass another --delivery to run them again.")
