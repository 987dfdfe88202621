"""What operators do to the queue: hold, unhold, cancel, run now. One script call each.

Every call that changes something is audited by its script: who, what, how many, why.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, cast

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, Script, load_script
from imbi_worker.queue.claims import SCRIPTS, moment

HoldVerdict: TypeAlias = Literal["held", "changed", "longer", "would hold", "would change"]
UnholdVerdict: TypeAlias = Literal["removed", "going on", "missing", "would remove"]
CancelVerdict: TypeAlias = Literal["cancelled", "asked", "missing", "ended"]
RunNowVerdict: TypeAlias = Literal[
    "due", "already due", "behind", "held", "running", "ended", "missing"
]

# A script that takes longer keeps every worker waiting.
AT_ONCE = 500
_HOLD = load_script("hold", SCRIPTS)
_UNHOLD = load_script("unhold", SCRIPTS)
_CANCEL = load_script("cancel", SCRIPTS)
_RUN_NOW = load_script("run_now", SCRIPTS)


@dataclass(frozen=True, slots=True)
class Mandate:
    """Who does it and why, for the audit. With ``looks_only`` nothing is written."""

    actor: str
    reason: str
    looks_only: bool = False


@dataclass(frozen=True, slots=True)
class StandingHold:
    """A hold that stood before; no end is a pause."""

    kind: str
    actor: str
    reason: str
    until: datetime | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """What came of setting a hold: ``longer`` means that a longer rate limit stands."""

    verdict: HoldVerdict
    until: datetime | None
    parked: int
    before: StandingHold | None


@dataclass(frozen=True, slots=True)
class Unheld:
    """One step of removing a hold; ``left`` parked jobs are given back by further calls."""

    verdict: UnholdVerdict
    given_back: int
    left: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What came of a cancel.

    ``asked``: its worker is told with its next claim. *detail* is the state a job has
    ended in.
    """

    job: str
    verdict: CancelVerdict
    detail: str


@dataclass(frozen=True, slots=True)
class RunNow:
    """What came of ``run now``: *detail* is the job ahead, the hold, or the end it came to."""

    job: str
    verdict: RunNowVerdict
    detail: str


class Control:
    """An operator's hand on one queue; errors are redis-py's own."""

    def __init__(self, redis: Executes, *, queue: str) -> None:
        self._redis = redis
        self._queue = queue

    async def hold(self, scope: str, span: timedelta | None, mandate: Mandate) -> Held:
        """Stop *scope* for *span*, or without an end. A hold of an operator is replaced."""
        milliseconds = "" if span is None else max(1, int(span / timedelta(milliseconds=1)))
        arguments = [scope, milliseconds, mandate.actor, mandate.reason, int(mandate.looks_only)]
        reply = await self._call(_HOLD, arguments)
        verdict, kind, actor, reason, until, since = (part.decode() for part in reply[:6])
        stood = StandingHold(kind, actor, reason, _moment(until), _moment(since))
        return Held(
            cast("HoldVerdict", verdict),
            until=_moment(reply[7].decode()),
            parked=int(reply[6]),
            before=stood if kind else None,
        )

    async def unhold(self, scope: str, mandate: Mandate, *, goes_on: bool = False) -> Unheld:
        """Remove a hold, and give back up to 1,000 of its jobs.

        While some are left, repeat with *goes_on*: that leaves alone a hold which somebody
        has set meanwhile.
        """
        looks = int(mandate.looks_only)
        arguments = [scope, mandate.actor, mandate.reason, looks, int(goes_on)]
        verdict, given_back, left = await self._call(_UNHOLD, arguments)
        return Unheld(cast("UnholdVerdict", verdict.decode()), int(given_back), int(left))

    async def cancel(self, jobs: Sequence[str], mandate: Mandate, *, scope: str) -> list[Cancelled]:
        """Cancel up to ``AT_ONCE`` jobs; *scope* is what the audit calls them."""
        flat = await self._call(_CANCEL, _bulk(jobs, mandate, scope))
        return [
            Cancelled(job, cast("CancelVerdict", verdict), detail)
            for job, verdict, detail in _answers(jobs, flat)
        ]

    async def run_now(self, jobs: Sequence[str], mandate: Mandate, *, scope: str) -> list[RunNow]:
        """Make up to ``AT_ONCE`` waiting jobs due; *scope* is what the audit calls them."""
        flat = await self._call(_RUN_NOW, _bulk(jobs, mandate, scope))
        return [
            RunNow(job, cast("RunNowVerdict", verdict), detail)
            for job, verdict, detail in _answers(jobs, flat)
        ]

    async def _call(self, script: Script, arguments: Sequence[Any]) -> Any:
        return await script(self._redis, [self._queue], [keys.LAYOUT, *arguments])


def _bulk(jobs: Sequence[str], mandate: Mandate, scope: str) -> list[str | int]:
    if len(jobs) > AT_ONCE:
        raise ValueError(f"at most {AT_ONCE} jobs a call")
    return [mandate.actor, mandate.reason, scope, int(mandate.looks_only), *jobs]


def _answers(jobs: Sequence[str], flat: Sequence[bytes]) -> Iterator[tuple[str, str, str]]:
    for job, verdict, detail in zip(jobs, flat[::2], flat[1::2], strict=True):
        yield job, verdict.decode(), detail.decode()


def _moment(milliseconds: str) -> datetime | None:
    return moment(milliseconds) if milliseconds else None
