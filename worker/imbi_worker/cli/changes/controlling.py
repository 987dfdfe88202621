"""Cancel and run now as a conversation: the jobs, the question, the steps, the figures."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import typer

from imbi_worker.cli.changes.pace import progress_bar
from imbi_worker.cli.output import FAILED, OK, Output, counted
from imbi_worker.cli.questions import agrees
from imbi_worker.cli.selection import Selection, select
from imbi_worker.cli.session import Session, actor, execute, perform
from imbi_worker.operations.control import (
    MOST,
    Change,
    Verb,
    all_unfinished,
    change,
    refuse,
)
from imbi_worker.operations.errors import InvalidInput, OperationError
from imbi_worker.operations.filters import filter_text, jobs_text
from imbi_worker.operations.holding import mandate
from imbi_worker.queue.control import Mandate
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.views import State

_HEADERS = ("ID", "RESULT", "DETAIL")
_AGAIN = "The same command again does the rest."
_LABELS = {"cancel": "Cancelling", "run now": "Waking"}
_QUESTIONS = {"cancel": "Cancel {jobs}?", "run now": "Run {jobs} now?"}
_STAKES = {"cancel": "{jobs} would be cancelled", "run now": "{jobs} would run now"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A change as it stands on the command line."""

    verb: Verb
    words: Sequence[str]
    options: JobFilter
    all_matching: bool
    reason: str | None
    is_dry: bool
    is_confirmed: bool

    def is_harmless(self, chosen: Selection) -> bool:
        """Whether nobody has to be asked: jobs that would run anyway, named, run sooner."""
        return self.is_confirmed or (self.verb == "run now" and bool(chosen.ids))

    def select(self) -> Selection:
        """The jobs that are meant.

        :raises InvalidInput: none are, or such as cannot be changed
        """
        chosen = select(self.words, self.options, takes_all=self.all_matching, verb=self.verb)
        state = chosen.wanted.state
        if state is not None and state.is_terminal:
            hint = "Name those that wait or run: state:waiting, state:running."
            raise InvalidInput(f"A job that is {state} has ended.", hint)
        if self.verb == "run now":
            # It looks at waiting jobs only, whoever asks.
            return Selection(chosen.ids, replace(chosen.wanted, state=State.WAITING))
        return chosen

    def mandate(self, *, looks_only: bool) -> Mandate:
        return mandate(actor(), self.reason or "", looks_only=looks_only)


def carry_out(asked: Asked, output: Output) -> None:
    """Look, ask, do; leaves with the exit code."""

    async def look(session: Session) -> tuple[Selection, list[str], list[Change]]:
        chosen = asked.select()
        if not asked.is_dry:
            asked.mandate(looks_only=False)
        jobs = list(chosen.ids) or await all_unfinished(session.inspection, chosen.wanted)
        found = await _change(session, asked, chosen, jobs, looks_only=True, output=output)
        if chosen.ids and len(found) == 1:
            refuse(found[0])
        return chosen, jobs, found

    chosen, jobs, planned = perform(look, output)
    ready = sum(one.is_done for one in planned)
    if asked.is_dry or not ready:
        _show(planned, chosen, output, is_dry=True)
        raise typer.Exit(OK if ready == len(planned) or not chosen.ids else FAILED)
    named = counted(ready, "job")
    question, stakes = _QUESTIONS[asked.verb], _STAKES[asked.verb]
    if not agrees(
        question.format(jobs=named),
        stakes.format(jobs=named),
        output,
        is_confirmed=asked.is_harmless(chosen),
    ):
        output.say("Nothing was changed.")
        raise typer.Exit(FAILED)

    async def work(session: Session) -> int:
        done = await _change(session, asked, chosen, jobs, looks_only=False, output=output)
        _show(done, chosen, output, is_dry=False)
        return OK if all(one.is_done or not chosen.ids for one in done) else FAILED

    execute(work, output)


async def _change(
    session: Session,
    asked: Asked,
    chosen: Selection,
    jobs: Sequence[str],
    *,
    looks_only: bool,
    output: Output,
) -> list[Change]:
    scope = jobs_text(chosen.ids) if chosen.ids else filter_text(chosen.wanted)
    by = asked.mandate(looks_only=looks_only)
    found: list[Change] = []
    try:
        with progress_bar("Looking" if looks_only else _LABELS[asked.verb], len(jobs)) as bar:
            async for step in change(session.inspection, asked.verb, jobs, by, scope=scope):
                found += step
                bar.to(len(found))
    except (OperationError, asyncio.CancelledError):
        if not looks_only:
            output.say(f"Stopped after {len(found):,} of {counted(len(jobs), 'job')}. {_AGAIN}")
        raise
    return found


def _show(found: Sequence[Change], chosen: Selection, output: Output, *, is_dry: bool) -> None:
    if output.as_json:
        output.records({"is_dry": is_dry, **_fields(one)} for one in found)
    else:
        # Of those that a filter found the others are only counted.
        shown = [one for one in found if one.is_done or chosen.ids]
        output.table(_HEADERS, [(one.job, one.verdict, one.detail) for one in shown])
    counts = Counter(one.verdict for one in found)
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items())
    if told:
        output.say(f"{'Nothing was changed; would be: ' if is_dry else ''}{told}.")
    if len(found) >= MOST:
        output.say(f"{MOST:,} are looked at in one go: run it again for the rest.")


def _fields(one: Change) -> dict[str, str]:
    return {"job": one.job, "verdict": one.verdict, "detail": one.detail}
