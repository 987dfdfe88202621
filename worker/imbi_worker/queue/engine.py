"""The engine: arq's ``Worker`` with our own claim, run, finish, signals and close.

    claim -> intake -> dispatch (decides) -> settle -> finish
      |                                                  |
      +--- watchdog thread: renews what is in hand <-----+

Of arq 0.28 the constructor, ``run``/``async_run``, the start-up hooks and the health
key stay. Its own loop claims by four round trips a job, holds a job for its whole
timeout after a kill -9, and takes a lost connection for "somebody else has it"; none
of that is used.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.typing import StartupShutdown
from arq.worker import Worker, func
from redis.exceptions import RedisError, ResponseError

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes
from imbi_worker.queue.claims import Claim, Claimer, Request
from imbi_worker.queue.connection import is_passing
from imbi_worker.queue.finishing import Finisher
from imbi_worker.queue.in_hand import JobsInHand, StopReason
from imbi_worker.queue.intake import Adopter
from imbi_worker.queue.janitor import Janitor
from imbi_worker.queue.leases import Watchdog
from imbi_worker.queue.presence import INTERVAL_SECONDS, Presence
from imbi_worker.queue.vitals import Vitals
from imbi_worker.queue.witness import Witness

_LOG = structlog.get_logger("imbi_worker.queue")
_TICK = timedelta(seconds=1)
# An idle worker looks up after that long: for jobs of stock arq clients, which wake nobody.
_LONGEST_SLEEP = timedelta(seconds=1.5)
# Small enough that claim, run and finish of three batches overlap, and others find work, too.
_CLAIM_AT_MOST = 32
# A worker nearly full lets some more of its jobs end: a claim costs the same for one as for ten.
_GATHERING = 0.002
_LONGEST_PAUSE = 5.0
# After drain and grace, for a loop that stands still.
_EXIT_MARGIN = 0.4
_LAST_WRITES = 5.0


class LayoutMismatch(Exception):  # noqa: N818 - reads as what it is at the call
    """This Redis belongs to another version; the text names both."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The engine's own numbers."""

    concurrency: int = 100
    event_bytes: int = 64 * 1024 * 1024
    lease: timedelta = timedelta(seconds=15)
    drain: timedelta = timedelta(seconds=30)
    grace: timedelta = timedelta(seconds=5)
    is_burst: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """What the engine is put together from."""

    claimer: Claimer
    in_hand: JobsInHand
    finisher: Finisher
    watchdog: Watchdog
    adopter: Adopter
    presence: Presence
    janitor: Janitor
    graph_answers: Callable[[], bool]
    witness: Witness


async def _never_called(ctx: dict[Any, Any]) -> None:  # noqa: ARG001 - arq's signature
    """Arq wants one function at least; jobs go through the dispatcher."""
    raise AssertionError


class Engine(Worker):
    """Claims, runs and finishes jobs until it is told to drain."""

    def __init__(
        self,
        redis: ArqRedis,
        parts: Parts,
        options: EngineOptions,
        *,
        on_startup: StartupShutdown | None = None,
        on_shutdown: StartupShutdown | None = None,
    ) -> None:
        super().__init__(
            [func(_never_called, name="imbi")],
            queue_name=redis.default_queue_name,
            redis_pool=redis,
            burst=options.is_burst,
            on_startup=on_startup,
            on_shutdown=on_shutdown,
            handle_signals=False,
            max_jobs=options.concurrency,
            health_check_interval=INTERVAL_SECONDS,
            health_check_key=parts.presence.health_key,
            job_serializer=redis.job_serializer,
            job_deserializer=redis.job_deserializer,
        )
        self._redis = redis
        self._parts = parts
        self._options = options
        self._is_draining = False
        self._waiting: asyncio.Future[Any] | None = None
        self._pause = 0.0
        self._spares_until = 0.0
        self._is_unheard = False
        self._trouble = ""
        self.is_connected = False
        self._turned = time.monotonic()
        self._claimed_at: datetime | None = None

    def handle_signals(self) -> None:
        """SIGTERM and SIGINT drain; a second one stops at once. From the main thread.

        Not through the loop: an action that blocks it would block its signals, too.
        """
        loop = asyncio.get_running_loop()

        def on_signal(number: int, frame: object) -> None:  # noqa: ARG001 - signal's signature
            self._arm_exit()
            loop.call_soon_threadsafe(self.drain)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)

    def drain(self) -> None:
        """Claim no more; let running jobs end within the drain time, then release them."""
        if self._is_draining:
            self._parts.in_hand.stop(self._parts.in_hand.ids(), StopReason.DRAINED)
            return
        self._is_draining = True
        self._arm_exit()
        if self._waiting is not None:
            self._waiting.cancel()

    def _arm_exit(self) -> None:
        patience = (self._options.drain + self._options.grace).total_seconds()
        self._parts.watchdog.force_exit_in(
            patience + _EXIT_MARGIN, at_latest=patience + 2 * _LAST_WRITES
        )

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    @property
    def worker(self) -> str:
        """The id of this worker."""
        return self._parts.presence.worker

    @property
    def vitals(self) -> Vitals:
        """How the worker stands now; may be asked from any thread."""
        return Vitals(
            loop_turned=self._parts.watchdog.loop_seen,
            claims_turned=self._turned,
            claimed_at=self._claimed_at,
            hears_redis=self.is_connected,
            is_draining=self._is_draining,
            graph_answers=self._parts.graph_answers(),
            running=len(self._parts.in_hand),
            slots=self._options.concurrency,
        )

    @property
    def endings(self) -> dict[str, int]:
        """How many attempts ended how, in this process."""
        return dict(self._parts.in_hand.endings)

    @property
    def has_unfinished(self) -> bool:
        """Whether an action still runs that ignored its cancel."""
        return self._parts.in_hand.has_unfinished

    async def main(self) -> None:
        """Everything from start-up to the last write.

        :raises LayoutMismatch: this Redis belongs to another version
        """
        parts = self._parts
        if self.on_startup is not None:
            await self.on_startup(self.ctx)
        parts.watchdog.start()
        # It may have started just as Redis came back, before the holders have reconnected.
        self._spare_expired()
        chores = [
            asyncio.create_task(chore.run(), name=type(chore).__name__)
            for chore in (parts.finisher, parts.presence, parts.janitor)
        ]
        try:
            await self._claim_until_told()
            await _at_most(self._return_unheard(), _LAST_WRITES)
            await self._run_out()
        finally:
            await _end(chores)
            parts.watchdog.stop(keeps_exit=self.has_unfinished)

    async def close(self) -> None:
        """Says goodbye and closes Redis; arq's ``run`` calls it last."""
        try:
            await self._parts.presence.leave()
        except (RedisError, OSError) as error:
            _LOG.warning("goodbye.failed", error=type(error).__name__)
        if self.on_shutdown is not None:
            await self.on_shutdown(self.ctx)
        await self._redis.aclose()

    async def _claim_until_told(self) -> None:
        while not self._is_draining:
            self._turned = time.monotonic()
            try:
                claim = await self._claim()
            except (RedisError, OSError) as error:
                await self._wait_for_redis(error)
                continue
            await self._take(claim)
            if self.burst and self._has_nothing_left(claim):
                return
            await self._wait_for_work(claim)

    async def _claim(self) -> Claim:
        in_hand, options = self._parts.in_hand, self._options
        begun = time.monotonic()
        free = 0 if in_hand.has_exclusive else options.concurrency - len(in_hand)
        request = Request(
            jobs=min(free, _CLAIM_AT_MOST),
            event_bytes=max(0, options.event_bytes - in_hand.size),
            is_idle=len(in_hand) == 0,
            # A worker that stood still renews its own before it claims what has expired.
            spares_expired=begun < self._spares_until or self._parts.watchdog.is_behind,
            graph_answers=self._parts.graph_answers(),
        )
        self._is_unheard = True
        claim = await self._parts.claimer.claim(request)
        self._is_unheard = False
        if self._pause:
            _LOG.info("redis.back")
        self._pause, self._trouble = 0.0, ""
        self.is_connected = True
        self._claimed_at = datetime.now(UTC)
        return self._unless_late(claim, begun)

    def _unless_late(self, claim: Claim, begun: float) -> Claim:
        """Begin nothing whose lease may be over: the reply lay there while we stood still."""
        if time.monotonic() - begun < self._options.lease.total_seconds() / 2:
            return claim
        for job in claim.jobs:
            self._parts.in_hand.give_back(job)
        return replace(claim, jobs=())

    async def _take(self, claim: Claim) -> None:
        for job in claim.jobs:
            self._parts.in_hand.start(job)
        self._parts.in_hand.stop(claim.aborts, StopReason.CANCELLED)
        for job_id, body in claim.strangers:
            self._turned = time.monotonic()
            try:
                verdict = await self._parts.adopter.adopt(job_id, body)
            except (RedisError, OSError) as error:
                # It comes by again in five seconds.
                self._parts.witness.redis_failed()
                _LOG.warning("adopt.failed", job_id=ascii(job_id), error=type(error).__name__)
            else:
                _LOG.info("job.taken_in", job_id=ascii(job_id), verdict=verdict)

    async def _wait_for_work(self, claim: Claim) -> None:
        in_hand = self._parts.in_hand
        is_full = in_hand.has_exclusive or len(in_hand) >= self._options.concurrency
        if is_full or (claim.left == "bytes" and len(in_hand) > 0):
            await self._wait(in_hand.freed(_TICK))
        elif not claim.left:
            wait = min(_LONGEST_SLEEP, max(claim.next_due - claim.at, timedelta(milliseconds=1)))
            await self._wait(self._sleep_until_woken(wait))
            return
        if len(in_hand) * 4 > self._options.concurrency * 3:
            await self._wait(asyncio.sleep(_GATHERING))

    async def _sleep_until_woken(self, at_most: timedelta) -> None:
        seconds = f"{at_most.total_seconds():.3f}"
        client: Executes = self._redis
        await client.execute_command("BLPOP", keys.WAKE, seconds)

    async def _wait(self, awaitable: Coroutine[Any, Any, None]) -> None:
        """Wait so that ``drain`` can end it at once; a Redis error is left to the next claim."""
        if self._is_draining:
            awaitable.close()
            return
        self._waiting = asyncio.ensure_future(awaitable)
        try:
            await asyncio.wait({self._waiting})
            if not self._waiting.cancelled():
                self._waiting.exception()
        finally:
            self._waiting = None

    async def _wait_for_redis(self, error: Exception) -> None:
        """Running jobs go on; their endings and renewals go first when Redis is back."""
        if isinstance(error, ResponseError) and str(error).startswith("LAYOUT"):
            raise LayoutMismatch(str(error).removeprefix("LAYOUT ")) from None
        self._parts.witness.redis_failed()
        self._tell_trouble(error)
        self.is_connected = False
        # A claim whose reply was lost is repeated while its leases last.
        longest = min(_LONGEST_PAUSE, self._options.lease.total_seconds() / 4)
        self._pause = min(max(self._pause * 2, 0.1), longest)
        await self._wait(asyncio.sleep(self._pause))
        self._turned = time.monotonic()
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            return
        self._parts.watchdog.renew_soon()
        self._spare_expired()
        await self._wait(self._write_endings())

    def _tell_trouble(self, error: Exception) -> None:
        """Once for each kind, not for each try."""
        trouble = "redis.away" if is_passing(error) else "claim.refused"
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble == "redis.away":
            _LOG.warning(trouble, error=type(error).__name__, hint="running jobs go on")
        else:
            _LOG.error(trouble, error=type(error).__name__, detail=str(error)[:200])

    def _spare_expired(self) -> None:
        """For a renewal's interval leave expired leases to whoever still holds them."""
        self._spares_until = time.monotonic() + self._options.lease.total_seconds() / 3

    def _has_nothing_left(self, claim: Claim) -> bool:
        is_far = claim.next_due >= datetime.fromtimestamp(keys.FAR / 1000, tz=claim.at.tzinfo)
        return is_far and not claim.jobs and len(self._parts.in_hand) == 0

    async def _return_unheard(self) -> None:
        """Give back what a claim whose reply was lost has leased: a drain costs no attempt."""
        nothing = Request(0, 0, is_idle=False, spares_expired=True, graph_answers=False)
        while self._is_unheard:
            try:
                claim = await self._parts.claimer.claim(nothing)
            except (RedisError, OSError):
                await asyncio.sleep(0.1)
                continue
            self._is_unheard = False
            for job in claim.jobs:
                self._parts.in_hand.give_back(job)

    async def _run_out(self) -> None:
        """Let running jobs end, release the others, write everything down."""
        in_hand = self._parts.in_hand
        end = time.monotonic() + self._options.drain.total_seconds()
        while len(in_hand) and time.monotonic() < end:
            await in_hand.freed(min(_TICK, timedelta(seconds=max(0.0, end - time.monotonic()))))
        if len(in_hand):
            _LOG.warning("drain.released", jobs=len(in_hand))
            in_hand.stop(in_hand.ids(), StopReason.DRAINED)
        end = time.monotonic() + self._options.grace.total_seconds() + _LAST_WRITES
        while len(in_hand) and time.monotonic() < end:
            await in_hand.freed(timedelta(seconds=0.2))
        await self._write_endings()

    async def _write_endings(self) -> None:
        await _at_most(self._parts.finisher.drained(), _LAST_WRITES)


async def _end(chores: Collection[asyncio.Task[None]]) -> None:
    """Cancel until they are gone: ``wait_for`` of Python 3.11 may swallow a cancel."""
    while chores:
        for chore in chores:
            chore.cancel()
        _, chores = await asyncio.wait(chores, timeout=0.2)


async def _at_most(awaitable: Coroutine[Any, Any, None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await awaitable
    except TimeoutError:
        pass
