"""Whether enough workers are alive, wherever they run."""

from datetime import timedelta

from imbi_worker.operations.checks import Finding
from imbi_worker.operations.errors import OperationError, operation_errors
from imbi_worker.queue.inspection import Inspection


async def fleet_finding(inspection: Inspection, *, at_least: int, within: timedelta) -> Finding:
    """Whether *at_least* so many workers have a heartbeat that is no older than *within*.

    They beat every ten seconds and are forgotten after a minute.
    """
    try:
        with operation_errors():
            at = (await inspection.stats()).at
            workers = await inspection.workers()
    except OperationError as error:
        return Finding("fleet", "failed", error.message, error.hint)
    alive = sum(at - worker.seen <= within for worker in workers)
    detail = f"{alive} heard of within {within.total_seconds():g} s, {at_least} needed"
    if alive >= at_least:
        return Finding("fleet", "ok", detail)
    hint = "Start workers, or look at their logs: `imbi-worker workers list` names who is left."
    return Finding("fleet", "failed", detail, hint)
