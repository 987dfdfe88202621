"""The watchdog thread: renews leases and watches the event loop.

A thread with a connection of its own, so an action that blocks the loop costs
latency, not duplicates. It never touches the loop's objects; what the loop must
know goes through ``call_soon_threadsafe``.
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from redis import Redis
from redis.exceptions import ReadOnlyError, RedisError

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import load_script
from imbi_worker.queue.claims import SCRIPTS

_RENEW = load_script("renew", SCRIPTS)
_LOG = structlog.get_logger("imbi_worker.queue")
_BLOCKED_AFTER = 1.0
_TICK = 0.25
_LONGEST_RETRY = 1.0
EXIT_FORCED = 70


class Lease(NamedTuple):
    """A job we hold, and until when (monotonic seconds) its lease may be renewed."""

    token: str
    until: float


class Watchdog:
    """Renews every lease each third of its length, in one call for all.

    *on_lost* hears, on the loop, of the jobs that another worker has taken or ended.
    *say_last* is called, on the thread, before the process is ended by force, *on_error*
    for each call of Redis that fails.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        queue: str,
        lease: timedelta,
        on_lost: Callable[[Sequence[str]], None],
        say_last: Callable[[Redis], None] = lambda _: None,
        on_error: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._lease_ms = int(lease / timedelta(milliseconds=1))
        self._pause = lease.total_seconds() / 3
        # Cut connections cost a renewal each: there is room for several before the lease ends.
        self._retry = min(_LONGEST_RETRY, self._pause / 4)
        self._on_lost = on_lost
        self._say_last = say_last
        self._on_error = on_error
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._at_once = threading.Event()
        self._exit_at: tuple[float, float] | None = None
        self._loop_seen = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._thread: threading.Thread | None = None
        self._renewed = time.monotonic()
        self._is_failing = False

    @property
    def is_behind(self) -> bool:
        """Whether leases may have run out: Redis is away, or this process has stood still."""
        return time.monotonic() - self._renewed > 2 * self._pause

    @property
    def loop_seen(self) -> float:
        """When the loop last turned, in monotonic seconds."""
        return self._loop_seen

    def start(self) -> None:
        """From the loop's thread."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._renewed = time.monotonic()
        self._see_loop()
        self._thread = threading.Thread(target=self._run, name="imbi-watchdog", daemon=True)
        self._thread.start()

    def stop(self, *, keeps_exit: bool) -> None:
        """Renew no more. With *keeps_exit* the forced exit stays armed: an action still runs."""
        if not keeps_exit:
            self._exit_at = None
        self._stopped.set()
        self._at_once.set()

    def hold(self, job: str, lease: Lease) -> None:
        with self._lock:
            self._leases[job] = lease

    def drop(self, job: str) -> None:
        with self._lock:
            self._leases.pop(job, None)

    def renew_soon(self) -> None:
        """After a reconnect: the holders first, then whoever claims."""
        self._at_once.set()

    def force_exit_in(self, seconds: float, *, at_latest: float) -> None:
        """The process ends in *seconds* if the loop stands still then, *at_latest* in any case.

        Nothing to end once stopped.
        """
        if self._stopped.is_set() or self._exit_at is not None:
            return
        now = time.monotonic()
        self._exit_at = (now + seconds, now + at_latest)

    def _see_loop(self) -> None:
        self._loop_seen = time.monotonic()
        if self._loop is not None and not self._stopped.is_set():
            self._loop.call_later(_TICK, self._see_loop)

    def _run(self) -> None:
        next_renewal = time.monotonic() + self._pause
        named = 0.0
        tick = min(_TICK, self._retry)
        while True:
            self._at_once.wait(tick)
            now = time.monotonic()
            if self._must_exit(now):
                self._exit()
            if self._stopped.is_set():
                self._redis.close()
                if self._exit_at is None:
                    return
                time.sleep(_TICK)
                continue
            if now >= next_renewal or self._at_once.is_set():
                self._at_once.clear()
                next_renewal = now + (self._pause if self._renew(now) else self._retry)
            if now - self._loop_seen > _BLOCKED_AFTER and self._loop_seen != named:
                named = self._loop_seen
                self._name_blocker(now - self._loop_seen)

    def _must_exit(self, now: float) -> bool:
        if self._exit_at is None:
            return False
        if_blocked, at_latest = self._exit_at
        is_blocked = now - self._loop_seen > 2 * _TICK
        return now > at_latest or (now > if_blocked and is_blocked)

    def _exit(self) -> None:
        """Write what the loop no longer can, and end the process."""
        code = 0
        try:
            self._say_last(self._redis)
        except Exception as error:  # noqa: BLE001 - whatever it is, the process must end now
            _LOG.error("drain.unwritten", error=type(error).__name__, hint="leases will run out")
            code = EXIT_FORCED
        sys.stderr.flush()
        os._exit(code)

    def _renew(self, now: float) -> bool:
        with self._lock:
            held = [(job, lease.token) for job, lease in self._leases.items() if lease.until > now]
        if held and not self._renew_all(held):
            return False
        self._renewed = time.monotonic()
        return True

    def _renew_all(self, held: Sequence[tuple[str, str]]) -> bool:
        flat = [text for pair in held for text in pair]
        try:
            replies = self._call([keys.LAYOUT, self._lease_ms, *flat])
        except (RedisError, OSError) as error:
            self._on_error()
            if not self._is_failing:
                _LOG.warning("renewal.failed", jobs=len(held), error=type(error).__name__)
            self._is_failing = True
            return False
        if self._is_failing:
            _LOG.info("renewal.resumed", jobs=len(held))
        self._is_failing = False
        lost = [pair for pair, reply in zip(held, replies, strict=True) if reply == 0]
        if lost and self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell_lost, lost)
        return True

    def _tell_lost(self, refused: Sequence[tuple[str, str]]) -> None:
        # A job that was claimed anew meanwhile, by this very worker, is held under another token.
        with self._lock:
            lost = [
                job
                for job, token in refused
                if job in self._leases and self._leases[job].token == token
            ]
        if lost:
            self._on_lost(lost)

    def _call(self, arguments: Sequence[Any]) -> Sequence[int]:
        try:
            reply = _RENEW.run_blocking(self._redis, [self._queue], arguments)
        except ReadOnlyError:
            # A demoted primary keeps its connections; a new one finds the new primary.
            self._redis.connection_pool.disconnect()
            raise
        return [int(entry) for entry in reply]

    def _name_blocker(self, seconds: float) -> None:
        """Says which action keeps the loop from turning, with the line it stands at."""
        task = asyncio.current_task(self._loop) if self._loop is not None else None
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the only way to another thread's stack
        line = traceback.extract_stack(frame)[-1] if frame is not None else None
        _LOG.warning(
            "loop.blocked",
            seconds=round(seconds, 1),
            task=task.get_name() if task is not None else "",
            line=f"{line.filename}:{line.lineno}" if line is not None else "",
            hint="an action must not block: use an async client or asyncio.to_thread",
        )
