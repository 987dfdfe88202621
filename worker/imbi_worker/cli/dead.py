"""`imbi-worker dead`: dead letters, and their replay."""

from pathlib import Path
from typing import Annotated

import typer

from imbi_sdk.attempt import Redactor
from imbi_sdk.queue import Signer
from imbi_worker import wiring
from imbi_worker.cli import files, pages
from imbi_worker.cli.options import (
    Cursor,
    DryRun,
    Handler,
    JobId,
    Json,
    Limit,
    Project,
    Reason,
    ReasonContains,
    WithEvent,
    Yes,
)
from imbi_worker.cli.output import FAILED, OK, Output, age
from imbi_worker.cli.replaying import Request, is_agreed, plan, replay_all
from imbi_worker.cli.session import Session, execute, perform
from imbi_worker.operations import dead_letters, jobs
from imbi_worker.operations.dead_letters import NewConfig, Replay
from imbi_worker.operations.enqueueing import parse_json
from imbi_worker.operations.errors import InvalidInput
from imbi_worker.queue.inspection.listing import JobFilter
from imbi_worker.queue.inspection.views import DeadLetterView

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at dead letters, and replay them.",
)
_HEADERS = ("ID", "HANDLER", "PROJECT", "ATTEMPTS", "DIED", "REASON")


@app.command("list")
def list_dead(
    *,
    handler: Handler = None,
    project: Project = None,
    reason_contains: ReasonContains = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    output = Output(as_json=as_json)
    wanted = JobFilter(handler=handler, project=project, reason=reason_contains)

    async def work(session: Session) -> None:
        page = await dead_letters.list_dead(session.inspection, wanted, limit=limit, cursor=cursor)
        if as_json:
            output.records(page.items)
        else:
            output.table(_HEADERS, [_row(letter) for letter in page.items])
        output.more(page)

    execute(work, output)


@app.command("show")
def show(job: JobId, *, with_event: WithEvent = False, as_json: Json = False) -> None:
    """Show one dead letter: why it died, its attempts, its config."""
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        letter = await dead_letters.dead_letter(session.inspection, job)
        report = await jobs.show_job(
            session.inspection, job, redactor=Redactor(), with_event=with_event
        )
        if as_json:
            output.record(report)
            return
        pages.show_report(report, output, with_event=with_event)
        if letter.later_ran:
            output.say("Later jobs of its lane have run since: a replay comes after them.")
        if not letter.has_event:
            output.say(
                "Its event is gone, so it cannot be replayed: have the sender deliver again."
            )

    execute(work, output)


@app.command("replay")
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Jobs' ids.")] = None,
    *,
    all_matching: Annotated[
        bool, typer.Option("--all-matching", help="Every dead letter, or those the filters name.")
    ] = False,
    handler: Handler = None,
    project: Project = None,
    reason_contains: ReasonContains = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Run with this handler_config instead; '-' is stdin."),
    ] = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Run dead letters again, each at the tail of its lane."""
    output = Output(as_json=as_json)
    wanted = JobFilter(handler=handler, project=project, reason=reason_contains)
    has_filter = any((handler, project, reason_contains))

    async def find(session: Session) -> tuple[Request, tuple[Replay, ...]]:
        _check(ids, all_matching=all_matching, has_filter=has_filter)
        if not reason and not dry_run:
            raise InvalidInput("A replay needs a reason.", "Pass --reason TEXT; it is audited.")
        changed = None if config is None else _new_config(config, session)
        found = ids or await dead_letters.all_matching(session.inspection, wanted)
        request = Request(tuple(found), changed, reason or "", is_dry=dry_run, is_confirmed=yes)
        return request, await plan(session.inspection, request)

    request, planned = perform(find, output)
    if not is_agreed(planned, request, output):
        is_good = (dry_run or not planned) and all(one.verdict == "ready" for one in planned)
        raise typer.Exit(OK if is_good else FAILED)

    async def work(session: Session) -> int:
        done = await replay_all(session.inspection, planned, request, output)
        return OK if done else FAILED

    execute(work, output)


def _check(ids: list[str] | None, *, all_matching: bool, has_filter: bool) -> None:
    if ids and (all_matching or has_filter):
        raise InvalidInput("Name jobs, or pass --all-matching with filters, not both.")
    if not ids and not all_matching:
        raise InvalidInput(
            "There is nothing to replay.", "Name jobs by their ids, or pass --all-matching."
        )


def _new_config(path: Path, session: Session) -> NewConfig:
    source = files.read(path)
    parse_json(source)
    wiring.load()
    signer: Signer | None = wiring.signer(session.settings)
    return NewConfig(source.text, signer, session.settings.accept_unsigned)


def _row(letter: DeadLetterView) -> tuple[str, ...]:
    job = letter.job
    return (
        job.id,
        job.handler,
        job.project,
        str(job.attempts),
        age(letter.died),
        pages.reason(job),
    )
