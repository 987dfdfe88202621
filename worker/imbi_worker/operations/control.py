"""Jobs as an operator changes them: cancelled, or run now in place of later."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, assert_never

from imbi_worker.operations.errors import Refused, no_job, operation_errors
from imbi_worker.operations.jobs import list_jobs
from imbi_worker.queue.control import AT_ONCE, CancelVerdict, Control, Mandate, RunNowVerdict
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.asking import redis_errors
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.views import State

Verb: TypeAlias = Literal["cancel", "run now"]
# One command's worth: what is over comes with the next.
MOST = 100_000
_PAGE = 1_000
# What was done, or would be.
_DONE = frozenset({"cancelled", "asked", "due"})
_DETAILS: Final[Mapping[CancelVerdict | RunNowVerdict, str]] = {
    "cancelled": "",
    "asked": "it ends once a worker has heard of it, within about a second",
    "due": "",
    "already due": "nothing to change",
    "running": "it runs already",
    "behind": "it waits for {detail} of its lane, whose order is kept",
    "held": "hold {detail} stands, and is not passed by",
    "ended": "it is {detail}",
    "missing": "there is no such job",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One job of a change: what became of it, or would, and why not."""

    job: str
    verdict: CancelVerdict | RunNowVerdict
    detail: str = ""

    @property
    def is_done(self) -> bool:
        return self.verdict in _DONE


async def all_unfinished(inspection: Inspection, wanted: JobFilter) -> list[str]:
    """The ids of the jobs that wait or run and match, as they stand in the queue."""
    states = [wanted.state] if wanted.state is not None else [State.WAITING, State.RUNNING]
    found: dict[str, None] = {}
    for state in states:
        cursor: str | None = None
        while True:
            page = await list_jobs(
                inspection, replace(wanted, state=state), limit=_PAGE, cursor=cursor
            )
            found.update(dict.fromkeys(job.id for job in page.items))
            cursor = page.cursor
            if cursor is None or len(found) >= MOST:
                break
    return list(found)[:MOST]


async def change(
    inspection: Inspection, verb: Verb, jobs: Sequence[str], by: Mandate, *, scope: str
) -> AsyncGenerator[Sequence[Change], None]:
    """Cancel *jobs*, or run them now, some hundred in a step; *scope* is for the audit.

    Interrupted, the steps so far are done; another call goes on.

    :raises Unavailable: Redis does not answer
    """
    control = Control(inspection.redis, queue=inspection.queue)
    once = list(dict.fromkeys(jobs))
    for start in range(0, len(once), AT_ONCE):
        batch = once[start : start + AT_ONCE]
        with operation_errors(), redis_errors():
            found = await _change(control, verb, batch, by, scope)
        yield found


async def _change(
    control: Control, verb: Verb, jobs: Sequence[str], by: Mandate, scope: str
) -> list[Change]:
    match verb:
        case "cancel":
            cancelled = await control.cancel(jobs, by, scope=scope)
            return [_told(one.job, one.verdict, one.detail) for one in cancelled]
        case "run now":
            ran = await control.run_now(jobs, by, scope=scope)
            return [_told(one.job, one.verdict, one.detail) for one in ran]
        case _:
            assert_never(verb)


def _told(job: str, verdict: CancelVerdict | RunNowVerdict, detail: str) -> Change:
    return Change(job, verdict, _DETAILS[verdict].format(detail=detail))


def refuse(one: Change) -> None:
    """Raise what a single job's change came to, where it was not done.

    :raises NotFound: there is no such job
    :raises Refused: it cannot be done now
    """
    if one.verdict == "missing":
        raise no_job(one.job)
    if not one.is_done and one.verdict != "already due":
        hint = f"See `imbi-worker jobs why {one.job}`."
        if one.detail.endswith("dead"):
            hint = f"Run it again with `imbi-worker dead replay {one.job}`."
        raise Refused(f"Job {one.job}: {one.detail}.", hint)
