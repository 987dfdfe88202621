"""Why a job does not run just now: pure, one sentence for each reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from imbi_worker.queue.inspection.reading import when
from imbi_worker.queue.inspection.views import Wait

_FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job's own hash does not know: the moment, its lane's head, its hold."""

    now: datetime
    head: str | None = None
    ahead: int = 0
    hold_reason: str = ""
    hold_until: datetime | None = None


def why(job: str, job_hash: Mapping[str, str], around: Surroundings) -> Wait | None:
    """The first thing in the way of *job*; None while it runs as it should, or has ended."""
    match job_hash.get("state"):
        case "parked":
            return _parked(job_hash.get("hold", ""), around)
        case "waiting":
            return _waiting(job, job_hash, around)
        case "running":
            return _running(job_hash, around)
        case _:
            return None


def _parked(hold: str, around: Surroundings) -> Wait:
    if hold == _FOREIGN:
        text = "parked: its function name is no <plugin>#<action>; another program enqueued it here"
        return Wait("hold", text, hold=hold)
    until = around.hold_until
    ends = f" until {_clock(until)}" if until is not None else ""
    reason = f" ({around.hold_reason})" if around.hold_reason else ""
    return Wait("hold", f"parked under hold {hold}{ends}{reason}", until=until, hold=hold)


def _waiting(job: str, job_hash: Mapping[str, str], around: Surroundings) -> Wait:
    lane = job_hash.get("lane", "")
    if lane and around.head is not None and around.head != job:
        text = f"in its lane behind {around.head}"
        if around.ahead > 1:
            text += f" and {around.ahead - 1:,} more"
        return Wait("lane", text, behind=around.head)
    starts = when(job_hash.get("not_before"))
    if starts is not None and starts > around.now:
        if job_hash.get("deferred_since"):
            return Wait("deferral", f"deferred until {_clock(starts)}", until=starts)
        return Wait("retry", f"until its retry at {_clock(starts)}", until=starts)
    if job_hash.get("unresolved"):
        slug = job_hash.get("handler", "").partition("#")[0]
        text = f"no worker that asked has the plugin {slug}: install it there"
        return Wait("plugin", text)
    return Wait("worker", "due: the next free worker takes it")


def _running(job_hash: Mapping[str, str], around: Surroundings) -> Wait | None:
    lease = when(job_hash.get("lease_until"))
    if lease is not None and lease <= around.now:
        text = f"its worker has been silent since its lease ended at {_clock(lease)}: runs again"
        return Wait("lease", text, until=lease)
    if job_hash.get("abandoned") == "1":
        return Wait("abandoned", "timed out, but its action ignores the cancel and still runs")
    return None


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")
