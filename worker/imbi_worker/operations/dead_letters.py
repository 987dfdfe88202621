"""Dead letters, looked at."""

from dataclasses import replace

from imbi_worker.operations.errors import (
    InvalidInput,
    NotFound,
    Refused,
    cursor_errors,
    operation_errors,
)
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.deaths import deaths
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.listing import Listing
from imbi_worker.queue.inspection.views import DeadLetterView, Page, State

# One command's worth; the janitor keeps 10,000 of them.
MOST = 100_000
NO_LETTER = "See `imbi-worker dead list`; dead letters are kept for 30 days."


async def list_dead(
    inspection: Inspection, wanted: JobFilter, *, limit: int, cursor: str | None = None
) -> Page[DeadLetterView]:
    """A page of dead letters, newest first.

    :raises InvalidInput: *cursor* is from another list, or *wanted* asks for another state
    """
    refuse_another_state(wanted)
    dead = replace(wanted, state=State.DEAD)
    with operation_errors(), cursor_errors():
        return await Listing(inspection).dead_letters(dead, limit=limit, cursor=cursor)


async def dead_letter(inspection: Inspection, job: str) -> DeadLetterView:
    """One dead letter.

    :raises NotFound: there is no such job
    :raises Refused: it is not dead
    """
    with operation_errors():
        views = await inspection.jobs([job])
        letters = await inspection.dead_letters([job])
    if job in letters:
        return letters[job]
    if job in views:
        raise Refused(
            f"Job {job} is {views[job].state}, not dead.", f"See `imbi-worker jobs show {job}`."
        )
    raise NotFound(f"There is no dead letter {job!r}.", NO_LETTER)


async def all_matching(inspection: Inspection, wanted: JobFilter) -> list[str]:
    """The ids of every dead letter that matches, newest first; ``MOST`` of them at most.

    :raises InvalidInput: *wanted* asks for jobs that are not dead
    """
    refuse_another_state(wanted)
    found: list[str] = []
    with operation_errors():
        async for page in deaths(inspection, wanted):
            found += [one.id for one in page]
            if len(found) >= MOST:
                break
    return found[:MOST]


def refuse_another_state(wanted: JobFilter) -> None:
    """:raises InvalidInput: *wanted* asks for jobs that are not dead"""
    if wanted.state not in {None, State.DEAD}:
        hint = f"Leave state: out, or see `imbi-worker jobs list state:{wanted.state}`."
        raise InvalidInput(f"A dead letter is dead, and not {wanted.state}.", hint)
