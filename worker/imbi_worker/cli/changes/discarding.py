"""The discard as a conversation: what would go, the question, the steps, the figures."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import typer

from imbi_worker.cli.changes.pace import progress_bar
from imbi_worker.cli.output import FAILED, OK, Output, counted
from imbi_worker.cli.questions import agrees
from imbi_worker.cli.session import Session, actor, execute, perform
from imbi_worker.operations.errors import OperationError
from imbi_worker.operations.holding import mandate
from imbi_worker.operations.replays import discard_all, refuse_undiscardable
from imbi_worker.queue.dead_letters import Discarded

_HEADERS = ("ID", "RESULT", "DETAIL")
_AGAIN = "The same command again does the rest."


@dataclass(frozen=True, slots=True)
class Found:
    """The ids, what the audit calls them, and whether a filter found them."""

    jobs: tuple[str, ...]
    scope: str
    is_bulk: bool


@dataclass(frozen=True, slots=True)
class Order:
    """What to throw away, why, and how far to go without asking."""

    find: Callable[[Session], Awaitable[Found]]
    reason: str
    is_dry: bool
    is_confirmed: bool


def discard(order: Order, output: Output) -> None:
    """Look, ask, do; leaves with the exit code."""

    async def look(session: Session) -> tuple[Found, list[Discarded]]:
        if not order.is_dry:
            mandate(actor(), order.reason, looks_only=False)
        wanted = await order.find(session)
        found = await _steps(session, order, wanted, output, looks_only=True)
        if len(found) == 1 and not wanted.is_bulk:
            refuse_undiscardable(found[0])
        return wanted, found

    wanted, found = perform(look, output)
    count = sum(one.result == "discarded" for one in found)
    if order.is_dry or not count:
        _show(found, wanted, output, is_dry=True)
        raise typer.Exit(OK if count == len(found) else FAILED)
    named = counted(count, "dead letter")
    question = f"Throw {named} away? They cannot be replayed then."
    if not agrees(question, f"{named} would be gone", output, is_confirmed=order.is_confirmed):
        output.say("Nothing was discarded.")
        raise typer.Exit(FAILED)

    async def work(session: Session) -> int:
        done = await _steps(session, order, wanted, output, looks_only=False)
        _show(done, wanted, output, is_dry=False)
        return OK if all(one.result == "discarded" for one in done) else FAILED

    execute(work, output)


async def _steps(
    session: Session, order: Order, wanted: Found, output: Output, *, looks_only: bool
) -> list[Discarded]:
    by = mandate(actor(), order.reason, looks_only=looks_only)
    found: list[Discarded] = []
    steps = discard_all(session.inspection, wanted.jobs, by, scope=wanted.scope)
    try:
        with progress_bar("Looking" if looks_only else "Discarding", len(wanted.jobs)) as bar:
            async for step in steps:
                found += step
                bar.to(len(found))
    except (OperationError, asyncio.CancelledError):
        if not looks_only:
            total = counted(len(wanted.jobs), "dead letter")
            output.say(f"Stopped after {len(found):,} of {total}. {_AGAIN}")
        raise
    return found


def _show(found: Sequence[Discarded], wanted: Found, output: Output, *, is_dry: bool) -> None:
    if output.as_json:
        output.records(
            {"job": one.job, "verdict": one.result, "detail": one.detail, "is_dry": is_dry}
            for one in found
        )
    else:
        shown = [one for one in found if not wanted.is_bulk or one.result != "discarded"]
        if shown or not found:
            output.table(_HEADERS, [(one.job, one.result, _detail(one)) for one in shown])
    counts = Counter(one.result for one in found)
    told = ", ".join(f"{count:,} {result}" for result, count in counts.items())
    if told:
        output.say(f"{'Nothing was changed; would be: ' if is_dry else ''}{told}.")


def _detail(one: Discarded) -> str:
    return f"it is {one.detail}" if one.detail else ""
