"""Finishing: what became of the attempts that ended meanwhile, in one call or two at a time."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import structlog
from redis.exceptions import DataError, RedisError, ResponseError

from imbi_sdk.event import whole
from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_worker.queue.claims import SCRIPTS
from imbi_worker.queue.connection import is_forbidden, is_passing
from imbi_worker.queue.deadlines import over_within

FINISH = load_script("finish", SCRIPTS)
_LOG = structlog.get_logger("imbi_worker.queue")
_LONGEST_PAUSE = 2.0
# No more: a claim that comes to Redis behind a longer call would wait for it.
_BATCH = 48
_CALLS_AT_ONCE = 2
# Seconds that the shortest call takes where Redis is near: one at a time is quicker there.
_NEAR = 0.001
# A value that is no text, number or bytes, or no UTF-8: a defect of ours, and of no Redis.
UNSENDABLE: Final = (DataError, TypeError, ValueError)

_REFUSED_HINT: Final = (
    "the job keeps its lane until Redis takes this: look at the keys that the error is about,"
    " somebody else may have written there"
)

Kind: TypeAlias = Literal[
    "succeeded", "skipped", "dead", "cancelled", "retry", "deferred", "released", "abandoned"
]


class Ending(NamedTuple):
    """One entry of the finish script; texts are redacted already.

    ``wait_ms`` is a delay for a retry, a moment for a deferral. ``record`` is the
    attempt record as JSON, ``""`` when nothing is to be noted.
    """

    id: str
    token: str
    kind: Kind
    counts: bool = True
    reason: str = ""
    error: str = ""
    status: str = ""
    wait_ms: int = 0
    hold: str = ""
    duration_ms: str = ""
    record: str = ""

    def arguments(self) -> tuple[str | int, ...]:
        return (
            self.id,
            self.token,
            self.kind,
            int(self.counts),
            # One text that Redis cannot hold would keep all others from being written.
            whole(self.reason),
            whole(self.error),
            self.status,
            self.wait_ms,
            self.hold,
            self.duration_ms,
            self.record,
        )


class Finisher:
    """Writes endings; what ends meanwhile shares the next call.

    Two calls at most are on their way, the second one only for a whole batch and far from Redis,
    where its work then overlaps with the way there. They may be carried out in any order, so no two
    of them carry endings of one job.
    Nothing is dropped: while Redis is away the endings wait here and go first when
    it is back. *on_settled* hears of each ending once Redis has answered it.
    """

    def __init__(
        self,
        redis: Executes,
        *,
        queue: str,
        patience: timedelta,
        on_settled: Callable[[Ending, str], None],
        on_error: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._patience_ms = int(patience / timedelta(milliseconds=1))
        self._on_settled = on_settled
        self._on_error = on_error
        self._waiting: list[Ending] = []
        self._sent: list[Sequence[Ending]] = []
        # Those to which Redis answers with an error of theirs, until it answers otherwise.
        self._refused: set[Ending] = set()
        self._is_failing = False
        self._shortest = math.inf
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def add(self, ending: Ending) -> None:
        self._waiting.append(ending)
        self._empty.clear()
        if self._may_send:
            self._news.set()

    @property
    def unwritten(self) -> tuple[Ending, ...]:
        """What Redis has not answered yet; may be asked from any thread."""
        # What moves on between these lines is told twice rather than not at all.
        waiting = tuple(self._waiting)
        return (*chain.from_iterable(tuple(self._sent)), *waiting, *tuple(self._refused))

    def arguments(self, batch: Sequence[Ending]) -> list[Any]:
        """Those of one call of the script."""
        arguments: list[Any] = [keys.LAYOUT, self._patience_ms]
        for ending in batch:
            arguments.extend(ending.arguments())
        return arguments

    async def drained(self) -> None:
        """Returns when every ending so far has been answered."""
        await self._empty.wait()

    async def drained_within(self, at_most: timedelta) -> None:
        """The same, or when *at_most* is over."""
        await over_within(at_most, self.drained())

    async def run(self) -> None:
        """Until cancelled."""
        writers = [asyncio.create_task(self._write()) for _ in range(_CALLS_AT_ONCE)]
        try:
            await asyncio.gather(*writers)
        finally:
            # After a defect in one of them both begin anew.
            for writer in writers:
                writer.cancel()

    async def _write(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                await self._settle(batch)
            except BaseException:
                self._waiting = [*batch, *self._waiting]
                raise
            finally:
                self._sent.remove(batch)
            if not (self._waiting or self._sent or self._refused):
                self._empty.set()

    @property
    def _may_send(self) -> bool:
        is_far = self._shortest > _NEAR
        return not self._sent or (is_far and len(self._waiting) >= _BATCH)

    def _next_batch(self) -> Sequence[Ending]:
        """What to send now, noted as sent; nothing if it had better wait for company."""
        if not self._may_send:
            return ()
        sent = {ending.id for batch in self._sent for ending in batch}
        batch: list[Ending] = []
        left: list[Ending] = []
        for ending in self._waiting:
            fits = len(batch) < _BATCH and ending.id not in sent
            (batch if fits else left).append(ending)
        if batch:
            self._sent.append(batch)
            self._waiting = left
        return batch

    async def _settle(self, batch: Sequence[Ending]) -> None:
        pause = 0.05
        repeated = False
        while True:
            try:
                replies = await self._call(batch)
            except UNSENDABLE:
                await self._settle_apart(batch, self._drop)
                return
            except (RedisError, OSError) as error:
                self._on_error()
                if _is_of_an_entry(error):
                    await self._settle_apart(batch, partial(self._put_off, error))
                    return
                self._tell_trouble(batch, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                repeated = True
            else:
                self._tell_success(batch)
                for ending, reply in zip(batch, replies, strict=True):
                    self._refused.discard(ending)
                    # After a lost reply the first call may have done its work.
                    is_unsure = repeated and reply == "lost"
                    self._on_settled(ending, "repeated" if is_unsure else reply)
                return

    async def _settle_apart(
        self, batch: Sequence[Ending], do_without: Callable[[Ending], None]
    ) -> None:
        """One entry that cannot be written keeps no other from it."""
        if len(batch) == 1:
            do_without(batch[0])
            return
        for ending in batch:
            await self._settle([ending])

    def _put_off(self, error: Exception, ending: Ending) -> None:
        """What Redis refuses comes again, behind the others."""
        if ending not in self._refused:
            text = str(error)[:200]
            _LOG.error("finish.refused", job_id=ending.id, detail=text, hint=_REFUSED_HINT)
        self._refused.add(ending)
        asyncio.get_running_loop().call_later(_LONGEST_PAUSE, self.add, ending)

    def _drop(self, ending: Ending) -> None:
        """No repeat helps an entry that cannot be sent: its job runs again after its lease."""
        _LOG.exception("finish.defect", job_id=ending.id)
        self._on_settled(ending, "lost")

    async def _call(self, batch: Sequence[Ending]) -> list[str]:
        begun = time.monotonic()
        replies = await FINISH(self._redis, [self._queue], self.arguments(batch))
        self._shortest = min(self._shortest, time.monotonic() - begun)
        return [reply.decode() for reply in replies]

    def _tell_trouble(self, batch: Sequence[Ending], error: Exception) -> None:
        """Once, not for each try and each call."""
        if self._is_failing:
            return
        self._is_failing = True
        # Another primary may lie elsewhere.
        self._shortest = math.inf
        detail = {} if is_passing(error) else {"detail": str(error)[:200]}
        _LOG.warning("finish.repeated", jobs=len(batch), error=type(error).__name__, **detail)

    def _tell_success(self, batch: Sequence[Ending]) -> None:
        if self._is_failing:
            self._is_failing = False
            _LOG.info("finish.resumed", jobs=len(batch))


def _is_of_an_entry(error: Exception) -> bool:
    """Whether Redis would take the same call without one of its entries."""
    if not isinstance(error, ResponseError) or is_passing(error) or is_forbidden(error):
        return False
    return not str(error).startswith("LAYOUT")
