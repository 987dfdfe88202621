"""Why a job does not run just now: pure, one sentence for each reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.replies import number, when
from imbi_worker.queue.inspection.views import HoldView, Wait

_FOREIGN = "foreign"
_LONGEST_ERROR = 120


@dataclass(frozen=True, slots=True)
class Fleet:
    """The live workers: how many, and the slugs that at least one of them has."""

    size: int = 0
    slugs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job's own hash does not know: the moment, its lane's head, its hold, the fleet.

    *hold* is the one it is parked under, or would be by the next worker that looks;
    *due* is its score.
    """

    now: datetime
    head: str | None = None
    ahead: int = 0
    hold: HoldView | None = None
    due: datetime | None = None
    fleet: Fleet = field(default_factory=Fleet)


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


def not_taken_in(due: datetime | None, now: datetime) -> Wait:
    """Why a job does not run that a stock arq client enqueued: it has a score and no hash."""
    if due is not None and due > now:
        text = f"not due before {_clock(due)} by Redis' clock, as the arq client has set it"
        ahead = f"; it is {_clock(now)} there, so look at the client's clock if that is wrong"
        return Wait("clock", text + ahead, until=due)
    return Wait("intake", "enqueued by a stock arq client; no worker has taken it in yet")


def due_at(score: bytes | str | None) -> datetime | None:
    """The moment a score stands for; None where there is none, or behind another job."""
    return None if number(score) >= keys.FAR else when(score)


def _parked(scope: str, around: Surroundings) -> Wait:
    if scope == _FOREIGN:
        text = "parked: its function name is no <plugin>#<action>; another program enqueued it here"
        return Wait("hold", text, hold=scope)
    if around.hold is None:
        return Wait("hold", f"held: {scope}", hold=scope)
    return _held(around.hold)


def _held(hold: HoldView) -> Wait:
    by = f" by {hold.actor}" if hold.actor and hold.kind != "rate_limit" else ""
    reason = f" ({hold.reason})" if hold.reason else ""
    if hold.kind == "removed":
        text = f"held: {hold.scope} was released{by}{reason}, its jobs come back 1,000 at a time"
        return Wait("hold", text, hold=hold.scope)
    if hold.until is None:
        since = f" since {_clock(hold.since)}" if hold.since is not None else ""
        return Wait("hold", f"paused: {hold.scope}{by}{since}{reason}", hold=hold.scope)
    what = ", a rate limit" if hold.kind == "rate_limit" else ""
    if hold.is_half_open:
        what += " that opens step by step"
    text = f"held: {hold.scope} until {_clock(hold.until)}{what}{by}{reason}"
    return Wait("hold", text, until=hold.until, hold=hold.scope)


def _waiting(job: str, job_hash: Mapping[str, str], around: Surroundings) -> Wait:
    lane = job_hash.get("lane", "")
    if lane and around.head is not None and around.head != job:
        more = f" and {around.ahead - 1:,} more" if around.ahead > 1 else ""
        text = f"behind {around.head}{more} in lane {lane}"
        return Wait("lane", text, behind=around.head)
    starts, hold = when(job_hash.get("not_before")), around.hold
    is_later = starts is not None and starts > around.now
    # Of two things in its way the one that ends later decides.
    if hold is not None and not (is_later and hold.until and starts and hold.until < starts):
        return _held(hold)
    if is_later and starts is not None:
        return _put_off(job_hash, starts, around.fleet)
    return _due(job_hash, around)


def _put_off(job_hash: Mapping[str, str], starts: datetime, fleet: Fleet) -> Wait:
    lacking = _lacking(_slug(job_hash), fleet)
    # The moment comes, and nothing will happen at it.
    alas = f"; and {lacking}" if lacking else ""
    error = " ".join(job_hash.get("error", "").split())
    if len(error) > _LONGEST_ERROR:
        error = f"{error[:_LONGEST_ERROR]}…"
    if job_hash.get("deferred_since"):
        reason = f" ({error})" if error else ""
        return Wait("deferral", f"deferred until {_clock(starts)}{reason}{alas}", until=starts)
    after = f" after {error}" if error else ""
    return Wait("retry", f"until its retry at {_clock(starts)}{after}{alas}", until=starts)


def _due(job_hash: Mapping[str, str], around: Surroundings) -> Wait:
    lacking = _lacking(_slug(job_hash), around.fleet)
    if lacking and not around.fleet.size:
        return Wait("absent", lacking)
    if lacking:
        since = when(job_hash.get("unresolved"))
        looked = f" (looked for since {_clock(since)})" if since is not None else ""
        return Wait("plugin", f"{lacking}; dead after 10 minutes without it{looked}")
    if around.due is not None and around.due > around.now:
        text = f"not due before {_clock(around.due)} by Redis' clock: a worker has put it off"
        return Wait("clock", text, until=around.due)
    return Wait("worker", "due: the next free worker takes it")


def _lacking(slug: str, fleet: Fleet) -> str:
    """What the live workers lack to run this plugin's jobs; nothing if one of them can."""
    if not fleet.size:
        return "no worker is alive: start one with `imbi-worker run`"
    if slug in fleet.slugs:
        return ""
    one_has_not = "the one live worker has not"
    who = one_has_not if fleet.size == 1 else f"none of {fleet.size:,} live workers has"
    return f"{who} the plugin {slug}: install it there"


def _slug(job_hash: Mapping[str, str]) -> str:
    return job_hash.get("handler", "").partition("#")[0]


def _running(job_hash: Mapping[str, str], around: Surroundings) -> Wait | None:
    lease = when(job_hash.get("lease_until"))
    if lease is not None and lease <= around.now:
        text = f"its worker has been silent since its lease ended at {_clock(lease)}: runs again"
        return Wait("lease", text, until=lease)
    if job_hash.get("cancelled_by"):
        text = f"runs until its worker hears of the cancel by {job_hash['cancelled_by']}"
        return Wait("cancel", text)
    if job_hash.get("abandoned") == "1":
        return Wait("abandoned", "timed out, but its action ignores the cancel and still runs")
    return None


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")
