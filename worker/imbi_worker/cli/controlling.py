"""Cancel and run now as a conversation: the jobs, the question, the steps, the figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from imbi_worker.cli.output import FAILED, OK, Output, counted
from imbi_worker.cli.questions import agrees
from imbi_worker.cli.session import Session, actor, execute, perform
from imbi_worker.operations.control import (
    MOST,
    Change,
    Verb,
    all_unfinished,
    change,
    filter_text,
    jobs_text,
    refuse,
)
from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.holds import mandate
from imbi_worker.queue.control import Mandate
from imbi_worker.queue.inspection.listing import JobFilter

_HEADERS = ("ID", "RESULT", "DETAIL")
_QUESTIONS = {"cancel": "Cancel {jobs}?", "run now": "Run {jobs} now?"}
_STAKES = {"cancel": "{jobs} would be cancelled", "run now": "{jobs} would run now"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A change as it stands on the command line."""

    verb: Verb
    ids: Sequence[str]
    wanted: JobFilter
    all_matching: bool
    reason: str | None
    is_dry: bool
    is_confirmed: bool

    @property
    def is_harmless(self) -> bool:
        """Whether nobody has to be asked: one job that would run anyway runs sooner."""
        return self.is_confirmed or (self.verb == "run now" and not self.all_matching)

    def mandate(self, *, looks_only: bool) -> Mandate:
        return mandate(actor(), self.reason or "", looks_only=looks_only)


def carry_out(asked: Asked, output: Output) -> None:
    """Look, ask, do; leaves with the exit code."""

    async def look(session: Session) -> tuple[list[str], list[Change]]:
        _check(asked)
        if not asked.is_dry:
            asked.mandate(looks_only=False)
        jobs = list(asked.ids) or await all_unfinished(session.inspection, asked.wanted)
        found = await _change(session, asked, jobs, looks_only=True, output=output)
        if asked.ids and len(found) == 1:
            refuse(found[0])
        return jobs, found

    jobs, planned = perform(look, output)
    ready = sum(one.is_done for one in planned)
    if asked.is_dry or not ready:
        _show(planned, asked, output, is_dry=True)
        raise typer.Exit(OK if ready == len(planned) or asked.all_matching else FAILED)
    named = counted(ready, "job")
    question, stakes = _QUESTIONS[asked.verb], _STAKES[asked.verb]
    if not agrees(
        question.format(jobs=named),
        stakes.format(jobs=named),
        output,
        is_confirmed=asked.is_harmless,
    ):
        output.say("Nothing was changed.")
        raise typer.Exit(FAILED)

    async def work(session: Session) -> int:
        done = await _change(session, asked, jobs, looks_only=False, output=output)
        _show(done, asked, output, is_dry=False)
        return OK if all(one.is_done or asked.all_matching for one in done) else FAILED

    execute(work, output)


async def _change(
    session: Session, asked: Asked, jobs: Sequence[str], *, looks_only: bool, output: Output
) -> list[Change]:
    scope = jobs_text(asked.ids) if asked.ids else filter_text(asked.wanted)
    by = asked.mandate(looks_only=looks_only)
    found: list[Change] = []
    async for step in change(session.inspection, asked.verb, jobs, by, scope=scope):
        found += step
        if not looks_only and len(found) < len(jobs):
            output.say(f"{len(found):,} of {len(jobs):,} …")
    return found


def _check(asked: Asked) -> None:
    # `retry` looks at waiting jobs only, whoever asks.
    narrows = asked.wanted.state is not None and asked.verb == "cancel"
    has_filter = asked.wanted.has_conditions or asked.wanted.delivery is not None or narrows
    if asked.ids and (asked.all_matching or has_filter):
        raise InvalidInput("Name jobs, or pass --all-matching with filters, not both.")
    if not asked.ids and not asked.all_matching:
        raise InvalidInput(
            "There is nothing to do.", "Name jobs by their ids, or pass --all-matching."
        )
    if asked.wanted.state is not None and asked.wanted.state.is_terminal:
        raise InvalidInput(
            f"A job that is {asked.wanted.state} has ended.", "Pass --state waiting or running."
        )


def _show(found: Sequence[Change], asked: Asked, output: Output, *, is_dry: bool) -> None:
    if output.as_json:
        output.records({"is_dry": is_dry, **_fields(one)} for one in found)
    else:
        # Of those that a filter found the others are only counted.
        shown = [one for one in found if one.is_done or asked.ids]
        output.table(_HEADERS, [(one.job, one.verdict, one.detail) for one in shown])
    counts = Counter(one.verdict for one in found)
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items())
    if told:
        output.say(f"{'Nothing was changed; would be: ' if is_dry else ''}{told}.")
    if len(found) >= MOST:
        output.say(f"{MOST:,} are looked at in one go: run it again for the rest.")


def _fields(one: Change) -> dict[str, str]:
    return {"job": one.job, "verdict": one.verdict, "detail": one.detail}
