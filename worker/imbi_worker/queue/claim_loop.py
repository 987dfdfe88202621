"""The loop that claims: when to ask for jobs, for how many, what to do while Redis is away."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError, ResponseError

from imbi_sdk.queue import keys
from imbi_worker.queue.claims import Claim, Claimer, Request
from imbi_worker.queue.deadlines import LAST_WRITES
from imbi_worker.queue.finishing import Finisher
from imbi_worker.queue.held import StopReason
from imbi_worker.queue.in_hand import JobsInHand
from imbi_worker.queue.intake import Adopter
from imbi_worker.queue.leases import Watchdog
from imbi_worker.queue.rights import require_rights
from imbi_worker.queue.trouble import LayoutMismatch, trouble_of
from imbi_worker.queue.waking import wait_for_token
from imbi_worker.queue.witness import Witness

_LOG = structlog.get_logger("imbi_worker.queue")
_TICK = timedelta(seconds=1)
# An idle worker looks up after that long: for jobs of stock arq clients, which wake nobody.
_LONGEST_SLEEP = timedelta(seconds=1.5)
# Small enough that claim, run and finish of three batches overlap, and others find work, too.
_CLAIM_AT_MOST = 32
# While more is due than that. Not above half of the slots: one half is claimed, the other runs.
_CLAIM_OF_MANY = 48
# What an idle worker asks for beforehand. If it stands still then, so do no more jobs than these.
_CLAIM_WHEN_WOKEN = 4
# A worker nearly full lets some more of its jobs end: a claim costs the same for one as for ten.
_GATHERING = 0.002
_LONGEST_PAUSE = 5.0
# Endings that wait for their answer while further jobs are claimed.
_UNWRITTEN_AT_MOST = 128
_AT_ONCE = timedelta()

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """What a worker takes at most, and what ends its loop."""

    concurrency: int
    lease: timedelta
    is_burst: bool


class ClaimLoop:
    """Claims until it is told to stop, and starts what it has claimed."""

    def __init__(
        self,
        redis: ArqRedis,
        limits: ClaimLimits,
        *,
        claimer: Claimer,
        in_hand: JobsInHand,
        finisher: Finisher,
        watchdog: Watchdog,
        adopter: Adopter,
        graph_answers: Callable[[], bool],
        witness: Witness,
    ) -> None:
        self._redis = redis
        self._limits = limits
        self._claimer = claimer
        self._in_hand = in_hand
        self._finisher = finisher
        self._watchdog = watchdog
        self._adopter = adopter
        self._graph_answers = graph_answers
        self._witness = witness
        self._is_stopped = False
        self._waiting: asyncio.Future[Any] | None = None
        self._most = max(_CLAIM_AT_MOST, min(_CLAIM_OF_MANY, limits.concurrency // 2))
        self._at_most = _CLAIM_AT_MOST
        self._pause = 0.0
        self._spares_until = 0.0
        self._trouble = ""
        self._has_rights = False
        self.is_connected = False
        self.turned = time.monotonic()
        self.claimed_at: datetime | None = None

    @property
    def is_stopped(self) -> bool:
        return self._is_stopped

    def stop(self) -> None:
        """Claim no more; a wait ends at once."""
        self._is_stopped = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def run(self) -> None:
        """Until stopped; in burst mode until there is nothing left.

        :raises LayoutMismatch: this Redis belongs to another version
        """
        # It may have started just as Redis came back, before the holders have reconnected.
        self._spare_expired()
        wait = _AT_ONCE
        while not self._is_stopped:
            self.turned = time.monotonic()
            try:
                await self._ask_for_rights()
                claim = await self._claim(wait)
            except (RedisError, OSError) as error:
                await self._wait_for_redis(error)
                wait = _AT_ONCE
                continue
            if claim is None:
                return
            await self._take(claim)
            # Their bytes go with the jobs, and not when the next claim is there.
            claim = replace(claim, jobs=())
            if self._limits.is_burst and self._has_nothing_left(claim):
                return
            wait = await self._wait_for_work(claim)

    async def return_unheard(self) -> None:
        """Give back what a claim whose reply was lost has leased: a drain costs no attempt."""
        while self._claimer.is_unheard:
            try:
                jobs = await self._claimer.recall()
            except (RedisError, OSError):
                await asyncio.sleep(0.1)
                continue
            for job in jobs:
                self._in_hand.give_back(job)

    async def _ask_for_rights(self) -> None:
        """Before the first claim, and after trouble: a right that lacks must stop no script midway.

        :raises RightsMissing: the worker is not ready until somebody gives them
        """
        if not self._has_rights:
            await require_rights(self._redis, queue=self._redis.default_queue_name)
            self._has_rights = True

    async def _claim(self, wait: timedelta) -> Claim | None:
        """None when it was stopped meanwhile; what Redis has leased then is yet unheard."""
        begun = time.monotonic()
        claiming = self._claimer.claim(self._request(begun, is_early=bool(wait)), wait=wait)
        # A short call is let end; one that waits for a token is not.
        claim = await (self._until_stopped(claiming) if wait else claiming)
        if claim is None:
            return None
        if self._pause:
            _LOG.info("redis.back")
        self._pause, self._trouble = 0.0, ""
        self.is_connected = True
        self.claimed_at = datetime.now(UTC)
        return self._in_time(claim, begun)

    def _request(self, now: float, *, is_early: bool) -> Request:
        in_hand = self._in_hand
        return Request(
            jobs=min(self._free, _CLAIM_WHEN_WOKEN if is_early else self._at_most),
            event_bytes=in_hand.budget.room,
            takes_any=in_hand.budget.fits_any,
            # A worker that stood still renews its own before it claims what has expired.
            spares_expired=now < self._spares_until or self._watchdog.is_behind,
            graph_answers=self._graph_answers(),
            # Woken, it takes few, and comes back for the others before anybody else could.
            passes_on=not is_early or self._free <= _CLAIM_WHEN_WOKEN,
        )

    @property
    def _free(self) -> int:
        """An action that has ended frees its slot; what is not yet written down is bounded, too."""
        in_hand, concurrency = self._in_hand, self._limits.concurrency
        if in_hand.has_exclusive:
            return 0
        return min(concurrency - in_hand.running, concurrency + _UNWRITTEN_AT_MOST - len(in_hand))

    def _in_time(self, claim: Claim, begun: float) -> Claim:
        """Begin nothing whose lease may be over: the reply lay there while we stood still."""
        if time.monotonic() - begun < self._limits.lease.total_seconds() / 2:
            return claim
        for job in claim.jobs:
            self._in_hand.give_back(job)
        return replace(claim, jobs=())

    async def _take(self, claim: Claim) -> None:
        for job in claim.jobs:
            # Of a claim repeated after a lost reply: nothing is begun beside one that may end us.
            if self._in_hand.has_exclusive:
                self._in_hand.give_back(job)
            else:
                self._in_hand.start(job)
        self._in_hand.stop(claim.aborts, StopReason.CANCELLED)
        has_many = claim.left == "more" and len(claim.jobs) >= _CLAIM_AT_MOST
        self._at_most = self._most if has_many else _CLAIM_AT_MOST
        for job_id, body in claim.strangers:
            self.turned = time.monotonic()
            try:
                verdict = await self._adopter.adopt(job_id, body)
            except (RedisError, OSError) as error:
                # It comes by again in five seconds.
                self._witness.redis_failed()
                _LOG.warning("adopt.failed", job_id=ascii(job_id), error=type(error).__name__)
            else:
                _LOG.info("job.taken_in", job_id=ascii(job_id), verdict=verdict)

    async def _wait_for_work(self, claim: Claim) -> timedelta:
        """How long the next claim is to wait for a token: not at all while an action runs.

        That may block the loop, and what Redis has leased meanwhile would be held up with it.
        """
        in_hand = self._in_hand
        if self._free <= 0 or (claim.left == "bytes" and len(in_hand) > 0):
            await self._wait(in_hand.freed(_TICK))
        elif not claim.left:
            longest = min(_LONGEST_SLEEP, self._limits.lease / 4)
            wait = min(longest, max(claim.next_due - claim.at, timedelta(milliseconds=1)))
            if not claim.is_empty:
                await self._wait(self._short_jobs_ended())
            if in_hand.running == 0:
                return wait
            await self._wait(wait_for_token(self._redis, wait))
            return _AT_ONCE
        if in_hand.running * 4 > self._limits.concurrency * 3:
            await self._wait(asyncio.sleep(_GATHERING))
        return _AT_ONCE

    async def _short_jobs_ended(self) -> None:
        end = time.monotonic() + _GATHERING
        while self._in_hand.running and (left := end - time.monotonic()) > 0:
            await self._in_hand.freed(timedelta(seconds=left))

    async def _wait(self, awaitable: Coroutine[Any, Any, None]) -> None:
        """Wait until it is over or the loop is stopped; an error is left to the next claim."""
        with suppress(RedisError, OSError):
            await self._until_stopped(awaitable)

    async def _until_stopped(self, awaitable: Coroutine[Any, Any, _Result]) -> _Result | None:
        """What it returns, or None when the loop is stopped first."""
        if self._is_stopped:
            awaitable.close()
            return None
        self._waiting = waiting = asyncio.ensure_future(awaitable)
        try:
            await asyncio.wait({waiting})
            return None if waiting.cancelled() else waiting.result()
        finally:
            self._waiting = None

    async def _wait_for_redis(self, error: Exception) -> None:
        """Running jobs go on; their endings and renewals go first when Redis is back."""
        if isinstance(error, ResponseError) and str(error).startswith("LAYOUT"):
            raise LayoutMismatch(str(error).removeprefix("LAYOUT ")) from None
        self._witness.redis_failed()
        self._tell_trouble(error)
        self.is_connected = self._has_rights = False
        # A claim whose reply was lost is repeated while its leases last: neither the pause nor
        # what goes before it may use them up.
        quarter = self._limits.lease / 4
        longest = min(_LONGEST_PAUSE, quarter.total_seconds())
        self._pause = min(max(self._pause * 2, 0.1), longest)
        await self._wait(asyncio.sleep(self._pause))
        self.turned = time.monotonic()
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            return
        self._watchdog.renew_soon()
        self._spare_expired()
        await self._wait(self._finisher.drained_within(min(LAST_WRITES, quarter)))

    def _tell_trouble(self, error: Exception) -> None:
        """Once for each kind, not for each try."""
        trouble = trouble_of(error)
        if trouble.kind == self._trouble:
            return
        self._trouble = trouble.kind
        tell = _LOG.warning if trouble.passes else _LOG.error
        tell(trouble.event, error=type(error).__name__, detail=trouble.detail, hint=trouble.hint)

    def _spare_expired(self) -> None:
        """For a renewal's interval leave expired leases to whoever still holds them."""
        self._spares_until = time.monotonic() + self._limits.lease.total_seconds() / 3

    def _has_nothing_left(self, claim: Claim) -> bool:
        is_far = claim.next_due >= datetime.fromtimestamp(keys.FAR / 1000, tz=claim.at.tzinfo)
        return is_far and claim.is_empty and len(self._in_hand) == 0
