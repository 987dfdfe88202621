"""`imbi-worker dead`: dead letters in lists and groups, their replay and their end."""

from pathlib import Path
from typing import Annotated

import typer

from imbi_sdk.attempt import Redactor
from imbi_worker import wiring
from imbi_worker.cli import changes, pages, transfer
from imbi_worker.cli.groups import GROUP_HEADERS, dead_total, group_rows
from imbi_worker.cli.options import (
    Cursor,
    DryRun,
    Filter,
    Handler,
    JobId,
    Json,
    Limit,
    Project,
    Reason,
    ReasonContains,
    Utc,
    WithEvent,
    Yes,
)
from imbi_worker.cli.output import FAILED, OK, Cell, Output
from imbi_worker.cli.selection import Selection, filter_of, select
from imbi_worker.cli.session import Session, execute, perform
from imbi_worker.operations import dead_groups, dead_letters, jobs
from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.filters import filter_text, jobs_text
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.views import DeadLetterView

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at dead letters, replay them, throw them away, take them elsewhere.",
)
_HEADERS = ("ID", "HANDLER", "PROJECT", "ATTEMPTS", "DIED", "REASON")

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID|FILTER]...", help="Jobs' ids, or terms like plugin:github."),
]
AllMatching = Annotated[
    bool, typer.Option("--all-matching", help="Every dead letter, or those the filters name.")
]
Group = Annotated[str | None, typer.Option(help="Only this group, by its id from `dead groups`.")]
Rate = Annotated[str | None, typer.Option(help="At most so many: 5/s, 300/m.")]
Most = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many, those that died last.")
]


@app.command("list")
def list_dead(
    terms: Filter = None,
    *,
    handler: Handler = None,
    project: Project = None,
    reason_contains: ReasonContains = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    output = Output(as_json=as_json, is_utc=utc)
    options = JobFilter(handler=handler, project=project, reason=reason_contains)

    async def work(session: Session) -> None:
        wanted = filter_of(terms, options)
        page = await dead_letters.list_dead(session.inspection, wanted, limit=limit, cursor=cursor)
        if as_json:
            output.records(page.items)
        else:
            output.table(_HEADERS, [_row(letter) for letter in page.items])
        output.more(page)

    execute(work, output)


@app.command("groups")
def groups(terms: Filter = None, *, utc: Utc = False, as_json: Json = False) -> None:
    """Group dead letters by handler and error: how many, since when, what to do."""
    output = Output(as_json=as_json, is_utc=utc)

    async def work(session: Session) -> None:
        found = await dead_groups.list_groups(session.inspection, filter_of(terms))
        if as_json:
            output.records(found)
            return
        output.table(GROUP_HEADERS, group_rows(found))
        if found:
            output.say(dead_total(found))

    execute(work, output)


@app.command("show")
def show(
    job: JobId, *, with_event: WithEvent = False, utc: Utc = False, as_json: Json = False
) -> None:
    """Show one dead letter: why it died, its attempts, its config."""
    output = Output(as_json=as_json, is_utc=utc)

    async def work(session: Session) -> None:
        letter = await dead_letters.dead_letter(session.inspection, job)
        report = await jobs.show_job(
            session.inspection, job, redactor=Redactor(), with_event=with_event
        )
        if as_json:
            output.record(report)
            return
        pages.show_report(report, output, with_event=with_event)
        output.say(f"What to do: {dead_groups.hint(letter.job)}.")
        if letter.later_ran:
            output.say("Later jobs of its lane have run since: a replay comes after them.")
        if not letter.has_event:
            output.say(
                "Its event is gone, so it cannot be replayed: have the sender deliver again."
            )

    execute(work, output)


@app.command("replay")
def replay(
    words: Words = None,
    *,
    all_matching: AllMatching = False,
    group: Group = None,
    handler: Handler = None,
    project: Project = None,
    reason_contains: ReasonContains = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Run with this handler_config instead; '-' is stdin."),
    ] = None,
    rate: Rate = None,
    limit: Most = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Run dead letters again, each at the tail of its lane.

    Looks first which of them today's plugins would refuse; those stay where they are.
    """
    output = Output(as_json=as_json)
    options = JobFilter(handler=handler, project=project, reason=reason_contains)

    async def find(session: Session) -> tuple[changes.Request, tuple[changes.Replay, ...]]:
        chosen = select(words, options, takes_all=all_matching or group is not None, verb="replay")
        if not reason and not dry_run:
            raise InvalidInput("A replay needs a reason.", "Pass --reason TEXT; it is audited.")
        if rate is not None:
            changes.per_second(rate)
        wiring.load()
        changed = None if config is None else changes.new_config(config, session)
        found = await _found(session, chosen, group, limit)
        is_bulk = not chosen.ids
        request = changes.Request(
            tuple(found), changed, reason or "", dry_run, yes, is_bulk=is_bulk, rate=rate
        )
        return request, await changes.plan(session.inspection, request)

    request, planned = perform(find, output)
    if not changes.is_agreed(planned, request, output):
        is_good = (dry_run or not planned) and all(one.verdict == "ready" for one in planned)
        raise typer.Exit(OK if is_good else FAILED)

    async def work(session: Session) -> int:
        done = await changes.replay_all(session.inspection, planned, request, output)
        return OK if done else FAILED

    execute(work, output)


@app.command("discard")
def discard(
    words: Words = None,
    *,
    all_matching: AllMatching = False,
    group: Group = None,
    limit: Most = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Throw dead letters away for good: nothing can replay them then."""

    async def find(session: Session) -> changes.Found:
        takes_all = all_matching or group is not None
        chosen = select(words, JobFilter(), takes_all=takes_all, verb="discard")
        found = await _found(session, chosen, group, limit)
        if chosen.ids:
            return changes.Found(tuple(found), jobs_text(found), is_bulk=False)
        scope = f"group:{group}" if group is not None else filter_text(chosen.wanted)
        return changes.Found(tuple(found), scope, is_bulk=True)

    order = changes.Order(find, reason or "", is_dry=dry_run, is_confirmed=yes)
    changes.discard(order, Output(as_json=as_json))


@app.command("export")
def export(
    words: Words = None,
    *,
    group: Group = None,
    limit: Most = None,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write into this new file, not stdout.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a file that an export has begun.")
    ] = False,
    for_reading: Annotated[
        bool, typer.Option("--for-reading", help="Leave out what an import needs.")
    ] = False,
    with_event: WithEvent = False,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Write dead letters as lines of JSON: to read, to keep, to import elsewhere."""

    async def find(session: Session) -> list[str]:
        takes_all = group is not None or not words
        chosen = select(words, JobFilter(), takes_all=takes_all, verb="export")
        return await _found(session, chosen, group, limit)

    order = transfer.ExportOrder(find, file, resume, for_reading, with_event, rate)
    transfer.export(order, Output(as_json=as_json))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Of an export; '-' is stdin.")],
    *,
    rate: Rate = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Bring exported dead letters back, as dead letters; a replay runs them."""
    order = transfer.ImportOrder(file, reason or "", dry_run, rate)
    transfer.bring_in(order, Output(as_json=as_json))


async def _found(
    session: Session, chosen: Selection, group: str | None, limit: int | None
) -> list[str]:
    if chosen.ids:
        found = list(chosen.ids)
    elif group is not None:
        found = await dead_groups.members(session.inspection, group, chosen.wanted)
    else:
        found = await dead_letters.all_matching(session.inspection, chosen.wanted)
    return found[:limit]


def _row(letter: DeadLetterView) -> tuple[Cell, ...]:
    job = letter.job
    return (
        job.id,
        job.handler,
        job.project,
        str(job.attempts),
        # An import is kept from its own day on, and has died before.
        job.ended or letter.died,
        pages.reason(job),
    )
