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
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.typing import StartupShutdown
from arq.worker import Worker, func
from redis.exceptions import RedisError

from imbi_worker.queue.claim_loop import ClaimLimits, ClaimLoop
from imbi_worker.queue.claims import Claimer
from imbi_worker.queue.deadlines import LAST_WRITES, over_within
from imbi_worker.queue.finishing import Finisher
from imbi_worker.queue.held import StopReason
from imbi_worker.queue.in_hand import JobsInHand
from imbi_worker.queue.intake import Adopter
from imbi_worker.queue.janitor import Janitor
from imbi_worker.queue.leases import Watchdog
from imbi_worker.queue.presence import INTERVAL_SECONDS, Presence
from imbi_worker.queue.vitals import Vitals
from imbi_worker.queue.witness import Witness

_LOG = structlog.get_logger("imbi_worker.queue")
_TICK = timedelta(seconds=1)
# After drain and grace, for a loop that stands still.
_EXIT_MARGIN = 0.4
CHORE_PAUSE = 1.0


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
        self._claims = ClaimLoop(
            redis,
            ClaimLimits(options.concurrency, options.lease, options.is_burst),
            claimer=parts.claimer,
            in_hand=parts.in_hand,
            finisher=parts.finisher,
            watchdog=parts.watchdog,
            adopter=parts.adopter,
            graph_answers=parts.graph_answers,
            witness=parts.witness,
        )

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
        if self.is_draining:
            self._parts.in_hand.stop(self._parts.in_hand.ids(), StopReason.DRAINED)
            return
        self._arm_exit()
        self._claims.stop()

    def _arm_exit(self) -> None:
        patience = self._options.drain + self._options.grace
        self._parts.watchdog.force_exit_in(
            patience.total_seconds() + _EXIT_MARGIN,
            at_latest=(patience + 2 * LAST_WRITES).total_seconds(),
        )

    @property
    def is_draining(self) -> bool:
        return self._claims.is_stopped

    @property
    def is_connected(self) -> bool:
        """Whether Redis answered the last claim."""
        return self._claims.is_connected

    @property
    def worker(self) -> str:
        """The id of this worker."""
        return self._parts.presence.worker

    @property
    def vitals(self) -> Vitals:
        """How the worker stands now; may be asked from any thread."""
        return Vitals(
            loop_turned=self._parts.watchdog.loop_seen,
            claims_turned=self._claims.turned,
            claimed_at=self._claims.claimed_at,
            hears_redis=self.is_connected,
            is_draining=self.is_draining,
            graph_answers=self._parts.graph_answers(),
            running=self._parts.in_hand.running,
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
        chores = [
            asyncio.create_task(kept_going(chore.run), name=type(chore).__name__)
            for chore in (parts.finisher, parts.presence, parts.janitor)
        ]
        try:
            await self._claims.run()
            await over_within(LAST_WRITES, self._claims.return_unheard())
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

    async def _run_out(self) -> None:
        """Let running jobs end, release the others, write everything down."""
        in_hand = self._parts.in_hand
        end = time.monotonic() + self._options.drain.total_seconds()
        while len(in_hand) and time.monotonic() < end:
            await in_hand.freed(min(_TICK, timedelta(seconds=max(0.0, end - time.monotonic()))))
        if len(in_hand):
            _LOG.warning("drain.released", jobs=len(in_hand))
            in_hand.stop(in_hand.ids(), StopReason.DRAINED)
        end = time.monotonic() + (self._options.grace + LAST_WRITES).total_seconds()
        while len(in_hand) and time.monotonic() < end:
            await in_hand.freed(timedelta(seconds=0.2))
        await self._parts.finisher.drained_within(LAST_WRITES)


async def kept_going(chore: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a chore until it is cancelled: a defect in it is told, and not the end of it."""
    while True:
        try:
            await chore()
        except Exception:  # noqa: BLE001 - a worker without its chores only looks alive
            _LOG.exception("chore.defect", hint="it is begun again in a second; please report it")
            await asyncio.sleep(CHORE_PAUSE)


async def _end(chores: Collection[asyncio.Task[None]]) -> None:
    """Cancel until they are gone: ``wait_for`` of Python 3.11 may swallow a cancel."""
    while chores:
        for chore in chores:
            chore.cancel()
        _, chores = await asyncio.wait(chores, timeout=0.2)
