"""The jobs a worker has in hand, from the claim to the committed finish.

A job keeps its bytes and its lease until Redis has confirmed what became of it, its slot
until its action has ended; an action that ignores its cancel keeps all until it really ends.
"""

import asyncio
import math
from collections import deque
from collections.abc import Iterable
from datetime import timedelta

import structlog
from structlog.typing import FilteringBoundLogger

from imbi_sdk.attempt import Verdict
from imbi_sdk.queue.scripts import Executes
from imbi_worker.queue.alone import note_alone
from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.event_budget import EventBudget
from imbi_worker.queue.finishing import Ending, Finisher
from imbi_worker.queue.held import Held, StopReason
from imbi_worker.queue.leases import Lease, Watchdog
from imbi_worker.queue.running import Ended, Runner, Stopped
from imbi_worker.queue.telling import tell
from imbi_worker.queue.without_verdict import cancelled, released, under
from imbi_worker.queue.witness import NoWitness, Witness

_LOG = structlog.get_logger("imbi_worker.queue")
_STALE = frozenset({"lost", "stale"})


class JobsInHand:
    """Runs claimed jobs, one task each, and hands their endings to the finisher."""

    def __init__(
        self,
        *,
        redis: Executes,
        queue: str,
        runner: Runner,
        budget: EventBudget,
        watchdog: Watchdog,
        finisher: Finisher,
        witness: Witness | None = None,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._runner = runner
        self._watchdog = watchdog
        self._finisher = finisher
        self._witness: Witness = witness or NoWitness()
        # Bound once: the one that get_logger makes binds itself for each line.
        self._log: FilteringBoundLogger = structlog.get_logger("imbi_worker.queue").bind()
        self._jobs: dict[str, Held] = {}
        self._alone: deque[Held] = deque()
        self._exclusive: set[str] = set()
        self._unwritten = 0
        self._freed = asyncio.Event()
        self.budget = budget
        self.endings: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def running(self) -> int:
        """Jobs that take a slot: those whose action has not ended."""
        return len(self._jobs) - self._unwritten

    @property
    def has_exclusive(self) -> bool:
        """Whether a job that must run alone waits or runs: nothing else may be claimed or begun."""
        return bool(self._exclusive)

    @property
    def has_unfinished(self) -> bool:
        """Whether an action still runs, in hand or not, e.g. one that ignored its cancel."""
        return bool(self._jobs) or self._runner.has_stubborn

    def ids(self) -> list[str]:
        return list(self._jobs)

    def unended(self) -> list[Ending]:
        """How to give back what still runs; may be asked from any thread."""
        return [
            released(job.claimed, has_begun=job.has_started)
            for job in list(self._jobs.values())
            if not job.has_ended
        ]

    async def freed(self, at_most: timedelta) -> None:
        """Returns when a slot has become free since the last call, or after *at_most*."""
        try:
            async with asyncio.timeout(at_most.total_seconds()):
                await self._freed.wait()
        except TimeoutError:
            pass
        self._freed.clear()

    def start(self, claimed: ClaimedJob) -> None:
        held = self._jobs.get(claimed.id)
        if held is not None:
            self._take_again(held, claimed)
            return
        job = Held(claimed)
        self._jobs[claimed.id] = job
        self.budget.take(claimed.size)
        self._watchdog.hold(claimed.id, Lease(claimed.token, math.inf))
        if claimed.must_run_alone:
            self._exclusive.add(claimed.id)
            self._alone.append(job)
            self._start_alone()
        else:
            job.task = asyncio.create_task(self._run(job), name=f"job {claimed.id}")

    def give_back(self, claimed: ClaimedJob) -> None:
        """Return a claimed job that was not begun; one that still runs here goes on."""
        if claimed.id in self._jobs:
            self.start(claimed)
            return
        ending = released(claimed)
        tell(self._log, ending)
        self._finisher.add(ending)

    def _take_again(self, held: Held, claimed: ClaimedJob) -> None:
        """Our own lease ran out while the job still runs here: it goes on under the new one."""
        _LOG.warning("job.claimed_again", job_id=claimed.id)
        if held.ending is not None:
            self._finisher.add(under(claimed, held.ending, held.claimed.run))
            return
        held.claimed = claimed
        if claimed.must_run_alone:
            self._exclusive.add(claimed.id)
        self._watchdog.hold(claimed.id, Lease(claimed.token, math.inf))

    def stop(self, ids: Iterable[str], reason: StopReason) -> None:
        """Cancels attempts that still run; what has ended already stays as it ended."""
        for id_ in ids:
            job = self._jobs.get(id_)
            if job is None or job.has_ended or job.stop is not None:
                continue
            job.stop = reason
            if job.task is None:
                self._alone.remove(job)
            else:
                job.task.cancel()
            # A task cancelled before its first step never runs a line of its own.
            if not job.has_started:
                self._after_stop(job, has_begun=False)

    def settled(self, ending: Ending, reply: str) -> None:
        """The finisher's answer: the slot is free, unless the action still lives."""
        if reply in _STALE:
            _LOG.warning("job.lease_lost", job_id=ending.id, outcome=ending.kind)
        if ending.kind == "abandoned":
            return
        name = "stale" if reply in _STALE else "dead" if reply == "overtaken" else ending.kind
        self.endings[name] = self.endings.get(name, 0) + 1
        self._forget(ending.id)

    def _forget(self, id_: str) -> None:
        self._watchdog.drop(id_)
        self._exclusive.discard(id_)
        job = self._jobs.pop(id_, None)
        if job is not None:
            self.budget.give_back(job.claimed.size)
            self._unwritten -= job.has_ended
        self._freed.set()
        self._start_alone()

    def _start_alone(self) -> None:
        if self._alone and all(job.task is None for job in self._jobs.values()):
            job = self._alone.popleft()
            job.task = asyncio.create_task(self._run_alone(job), name=f"job {job.claimed.id}")

    async def _run_alone(self, job: Held) -> None:
        job.has_started = True
        await note_alone(self._redis, self._queue, job.claimed)
        await self._run(job)

    async def _run(self, job: Held) -> None:
        job.has_started = True
        came_to = await self._runner.run(job, self._abandon)
        if isinstance(came_to, Stopped):
            self._after_stop(job, has_begun=came_to.has_begun)
        else:
            self._end(job, *came_to)

    def _abandon(self, job: Held, abandoned: Ended) -> None:
        self._finisher.add(abandoned.ending)
        self._account_for(job, *abandoned)

    def _after_stop(self, job: Held, *, has_begun: bool) -> None:
        claimed = job.claimed
        if job.stop is StopReason.LOST:
            _LOG.warning("job.lease_lost", job_id=claimed.id, outcome="cancelled")
            self._note_end(job, released(claimed))
            self._forget(claimed.id)
            if job.account is not None:
                job.account.lost()
        elif job.stop is StopReason.CANCELLED:
            self._end(job, cancelled(claimed))
        else:
            self._end(job, released(claimed, has_begun=has_begun))

    def _end(self, job: Held, ending: Ending, verdict: Verdict | None = None) -> None:
        self._note_end(job, ending)
        tell(self._log, ending, verdict)
        self._finisher.add(ending)
        self._account_for(job, ending, verdict)

    def _note_end(self, job: Held, ending: Ending) -> None:
        job.ending = ending
        self._unwritten += 1
        self._freed.set()

    def _account_for(self, job: Held, ending: Ending, verdict: Verdict | None) -> None:
        if job.account is not None:
            job.account.ended(ending, verdict)
        elif ending.kind == "dead":
            self._witness.refused(ending)
