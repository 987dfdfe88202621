"""Why a job is not running, in one sentence."""

from dataclasses import dataclass

from imbi_worker.operations.errors import no_job, operation_errors
from imbi_worker.operations.wording import reason
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.views import JobView, State, Wait


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a job stands and why; *ahead* is the same of the job that leads its lane."""

    job: str
    state: State
    text: str
    wait: Wait | None = None
    ahead: "Explanation | None" = None


async def explain(inspection: Inspection, job: str) -> Explanation:
    """Why *job* is not running; behind another one, also why that one is not done yet.

    :raises NotFound: Redis does not know it
    """
    with operation_errors():
        view = (await inspection.jobs([job])).get(job)
        if view is None:
            raise no_job(job)
        wait = view.wait
        if wait is None or wait.behind is None:
            return Explanation(job, view.state, _sentence(view), wait)
        head = (await inspection.jobs([wait.behind])).get(wait.behind)
    if head is None:
        return Explanation(job, view.state, wait.text, wait)
    first = Explanation(head.id, head.state, _sentence(head), head.wait)
    return Explanation(job, view.state, f"{wait.text}, which is {_told(first)}", wait, first)


def _told(one: Explanation) -> str:
    return f"{one.state}: {one.text}" if one.text else f"{one.state}"


def _sentence(view: JobView) -> str:
    """The first thing in the job's way, or what it does, or what it came to."""
    if view.wait is not None:
        return view.wait.text
    if view.state is State.RUNNING:
        since = f" since {view.started:%Y-%m-%d %H:%M:%SZ}" if view.started is not None else ""
        return f"attempt {view.attempts + 1} on {view.worker or 'a worker'}{since}"
    at = f"at {view.ended:%Y-%m-%d %H:%M:%SZ}" if view.ended is not None else ""
    if view.state is State.CANCELLED and view.cancelled_by:
        return f"{at}, by {view.cancelled_by}"
    return ": ".join(part for part in (at, reason(view)) if part)
