"""One job in hand, from its bytes to what it came to: intake, attempt, what outlives that."""

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import structlog

from imbi_sdk.attempt import Interrupted, Verdict
from imbi_sdk.attempt.outcome import Dead, Outcome
from imbi_worker.dispatch import Attempt, Dispatches
from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.finishing import Ending
from imbi_worker.queue.held import Held, StopReason
from imbi_worker.queue.intake import Intake
from imbi_worker.queue.kept_lines import LINES, NO_LINES, Lines
from imbi_worker.queue.leases import Lease, Watchdog
from imbi_worker.queue.settlement import settle
from imbi_worker.queue.telling import bind
from imbi_worker.queue.without_verdict import own_defect
from imbi_worker.queue.witness import Witness

_LOG = structlog.get_logger("imbi_worker.queue")
# A verdict that is due must not lose its lease while it is on its way.
_MARGIN = timedelta(seconds=15)


class Ended(NamedTuple):
    """What to write of an attempt; *verdict* is None when there was none, or a defect of ours."""

    ending: Ending
    verdict: Verdict | None


class Stopped(NamedTuple):
    """The worker itself has stopped it; *has_begun* when its effect is unknown."""

    has_begun: bool


OnAbandoned: TypeAlias = Callable[[Held, Ended], None]


class Runner:
    """Runs jobs in hand, each in the task that calls it."""

    def __init__(
        self,
        *,
        worker: str,
        dispatcher: Dispatches,
        intake: Intake,
        watchdog: Watchdog,
        witness: Witness,
    ) -> None:
        self._worker = worker
        self._dispatcher = dispatcher
        self._intake = intake
        self._watchdog = watchdog
        self._witness = witness
        self._stubborn: set[asyncio.Task[Any]] = set()

    @property
    def has_stubborn(self) -> bool:
        """Whether an action still runs that ignored its cancel."""
        return any(not task.done() for task in self._stubborn)

    async def run(self, job: Held, on_abandoned: OnAbandoned) -> Ended | Stopped:
        """Run *job* to its end.

        *on_abandoned* hears at once of an action that outlives its timeout; the job is over
        only when that really ends. `Stopped` when this task was cancelled: *job.stop* says why.
        """
        claimed = job.claimed
        attempt = self._intake.attempt(claimed)
        if isinstance(attempt, Dead):
            return Ended(self._ending(claimed, attempt, None), None)
        terms = self._dispatcher.terms(attempt.job.handler)
        job.account = self._witness.begins(attempt, claimed.waited_ms, terms.max_attempts)
        bind(
            attempt,
            {
                **job.account.ids,
                "plugin_version": terms.plugin_version,
                "max_attempts": terms.max_attempts,
                "queue_wait_ms": claimed.waited_ms,
                "worker_id": self._worker,
            },
        )
        until = time.monotonic() + (terms.limits.longest + _MARGIN).total_seconds()
        self._watchdog.hold(claimed.id, Lease(claimed.token, until))
        try:
            return await self._dispatch(job, attempt, on_abandoned)
        except asyncio.CancelledError as error:
            unfinished = error.unfinished if isinstance(error, Interrupted) else None
            if unfinished is not None and job.stop is StopReason.DRAINED:
                self._stubborn.add(unfinished)
            elif unfinished is not None:
                await self._outlast(job, unfinished)
            return Stopped(has_begun=isinstance(error, Interrupted))

    async def _dispatch(self, job: Held, attempt: Attempt, on_abandoned: OnAbandoned) -> Ended:
        claimed = job.claimed
        try:
            verdict = await self._dispatcher.run(attempt)
            ending = self._ending(job.claimed, verdict.outcome, verdict.duration)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not lose the job
            _LOG.exception("dispatch.defect", job_id=claimed.id)
            # What was kept may be what cannot be written.
            LINES.set(Lines())
            return Ended(self._ending(claimed, own_defect(claimed, error), timedelta()), None)
        if verdict.unfinished is not None:
            abandoned = ending._replace(kind="abandoned", counts=True)
            on_abandoned(job, Ended(abandoned, verdict))
            ending = ending._replace(counts=False, record="")
            try:
                await self._outlast(job, verdict.unfinished)
            except asyncio.CancelledError:
                if job.stop is StopReason.LOST:
                    raise
        if ending.token != job.claimed.token:
            ending = ending._replace(token=job.claimed.token)
        return Ended(ending, verdict)

    async def _outlast(self, job: Held, unfinished: asyncio.Task[Any]) -> None:
        """Keep slot and lane until an action that ignored its cancel really ends."""
        self._stubborn.add(unfinished)
        _LOG.warning("action.abandoned", job_id=job.claimed.id, task=unfinished.get_name())
        self._watchdog.hold(job.claimed.id, Lease(job.claimed.token, math.inf))
        await asyncio.wait({unfinished})
        self._stubborn.discard(unfinished)

    def _ending(self, claimed: ClaimedJob, outcome: Outcome, duration: timedelta | None) -> Ending:
        return settle(
            claimed,
            outcome,
            duration=duration,
            worker=self._worker,
            ended_at=datetime.now(UTC),
            lines=LINES.get(NO_LINES),
        )
