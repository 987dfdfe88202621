"""What this Redis and this machine can do: jobs that do nothing, in a database of their own.

The real queue is not touched: its counters, its last outcomes and its deliveries are kept up to
a number, and a measurement would push real ones out. So an empty database of the same Redis is
looked for, and is empty again afterwards.
"""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from pydantic import SecretStr

from imbi_sdk.attempt import Succeeded, Verdict
from imbi_sdk.queue import ActionQueue, JobContext, Signer, Target, WebhookRule, keys
from imbi_sdk.queue.delivery import by_project_and_plugin
from imbi_worker.dispatch import Attempt, Terms
from imbi_worker.operations.errors import NotFound, Refused, operation_errors
from imbi_worker.queue import EngineOptions, WorkerPlan, build_engine, connect, in_database
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.asking import ask, redis_errors
from imbi_worker.queue.inspection.databases import empty_databases, remove_our_keys
from imbi_worker.queue.inspection.health import redis_facts

_HANDLER: Final = "bench#nothing"
_PROJECTS: Final = 10
_LANES: Final = 500
_TRIPS: Final = 200
_PICK_UPS: Final = 100
_PAUSE: Final = timedelta(milliseconds=25)
# A worker that stands still for so long measures nothing any more.
_PATIENCE: Final = timedelta(seconds=60)
_EVENT: Final = {
    "type": "push",
    "third_party_service": "github",
    "attributed_to": "",
    "metadata": {"webhook_id": "bench", "headers": {}},
    "payload": {"ref": "refs/heads/main", "padding": "x" * 2_000},
}

_ELSEWHERE: Final = "Name an empty one with --database, or another Redis with REDIS_URL."

Step: TypeAlias = Literal["round trip", "enqueue", "work", "pick-up"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Half of all were at most *median*, all but one of a hundred at most *p99*."""

    median: timedelta
    p99: timedelta

    @classmethod
    def of(cls, seconds: list[float]) -> "Spread":
        cuts = statistics.quantiles(seconds, n=100)
        return cls(timedelta(seconds=cuts[49]), timedelta(seconds=cuts[98]))


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures. Producer and worker share one process, as they do not in production."""

    redis: str
    database: int
    jobs: int
    slots: int
    round_trip: Spread
    enqueued_per_second: float
    worked_per_second: float
    pick_up: Spread


async def refuse_beside_work(inspection: Inspection) -> None:
    """:raises Refused: the queue has jobs, which a measurement would keep waiting"""
    with operation_errors():
        stats = await inspection.stats()
    jobs = stats.due + stats.scheduled + stats.behind
    if jobs:
        hint = "Wait until it is empty, or measure all the same with --anyway: both get slower."
        raise Refused(f"{jobs:,} jobs wait or run in {inspection.queue}.", hint)


async def choose_database(inspection: Inspection, wanted: int | None) -> int:
    """A database without a key: *wanted*, or the highest.

    :raises Refused: it has keys
    :raises NotFound: there is none
    """
    with operation_errors():
        found = await empty_databases(inspection.redis)
    if wanted is not None and wanted not in found:
        raise Refused(f"Database {wanted} of this Redis holds keys, or is none.", _ELSEWHERE)
    if not found:
        raise NotFound("Every database of this Redis holds keys.", _ELSEWHERE)
    return found[0] if wanted is None else wanted


async def measure(
    url: SecretStr,
    database: int,
    *,
    jobs: int,
    slots: int,
    on_step: Callable[[Step], None],
) -> Measured:
    """Take all figures in *database*, which must be empty and is so again afterwards."""
    address = in_database(url, database)
    redis = connect(address, queue=keys.QUEUE)
    try:
        with operation_errors(), redis_errors():
            facts = await redis_facts(redis)
            signer = Signer([SecretStr(secrets.token_hex(16))])
            bench = _Bench(ActionQueue(redis, signer=signer))
            on_step("round trip")
            trips = [await _timed(ask(redis, [("PING",)])) for _ in range(_TRIPS)]
            on_step("enqueue")
            enqueueing = await _timed(bench.enqueue(jobs))
            async with _worker(address, bench, signer, slots):
                on_step("work")
                await bench.until_ended(jobs)
                working = bench.seconds
                on_step("pick-up")
                pick_ups = await bench.pick_ups()
            return Measured(
                redis=f"{facts.product} {facts.version}",
                database=database,
                jobs=jobs,
                slots=slots,
                round_trip=Spread.of(trips),
                enqueued_per_second=jobs / enqueueing,
                worked_per_second=jobs / working,
                pick_up=Spread.of(pick_ups),
            )
    finally:
        await _even_if_interrupted(_clean(redis))


async def _clean(redis: Any) -> None:
    with suppress(Exception):  # what was to be told has been raised already
        await remove_our_keys(redis)
    await redis.aclose()


async def _even_if_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Ctrl-C is repeated until the command ends; the keys go all the same."""
    task = asyncio.create_task(work)
    was_cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            was_cancelled = True
    if was_cancelled:
        raise asyncio.CancelledError


async def _timed(work: Coroutine[Any, Any, Any]) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


@asynccontextmanager
async def _worker(
    address: SecretStr, bench: "_Bench", signer: Signer, slots: int
) -> AsyncIterator[None]:
    plan = WorkerPlan(
        redis_url=address,
        slugs=["bench"],
        signer=signer,
        accepts_unsigned=False,
        lane=by_project_and_plugin,
        options=EngineOptions(concurrency=slots),
    )
    engine = build_engine(connect(address, queue=keys.QUEUE), bench, plan)
    task = asyncio.create_task(engine.async_run())
    try:
        yield
    finally:
        engine.drain()
        await _even_if_interrupted(_ended(task))
        await engine.close()


async def _ended(task: "asyncio.Task[None]") -> None:
    await asyncio.wait({task})


@dataclass
class _Bench:
    """Enqueues jobs, and stands in the place of the dispatcher that runs them."""

    queue: ActionQueue
    sent: int = 0
    calls: int = 0
    began: float = 0.0
    ended: float = 0.0
    called: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def graph_down_until(self) -> datetime | None:
        return None

    def terms(self, handler: str) -> Terms:  # noqa: ARG002 - the dispatcher's signature
        return Terms()

    async def run(self, attempt: Attempt) -> Verdict:  # noqa: ARG002 - the dispatcher's signature
        self.ended = time.perf_counter()
        self.began = self.began or self.ended
        self.calls += 1
        self.called.set()
        return Verdict(Succeeded(), timedelta())

    @property
    def seconds(self) -> float:
        """From the first call to the last one."""
        return max(self.ended - self.began, 0.000_001)

    async def enqueue(self, count: int) -> None:
        """In deliveries of ten projects each."""
        rules = [WebhookRule(handler=_HANDLER)]
        for start in range(self.sent, self.sent + count, _PROJECTS):
            numbers = range(start, min(start + _PROJECTS, self.sent + count))
            await self.queue.enqueue_delivery(
                delivery=f"bench-{start}",
                webhook_id="bench",
                event=_EVENT,
                rules=rules,
                targets=[_target(number) for number in numbers],
            )
        self.sent += count

    async def until_ended(self, count: int) -> None:
        """:raises Refused: nothing has happened for a minute"""
        while self.calls < count:
            self.called.clear()
            try:
                async with asyncio.timeout(_PATIENCE.total_seconds()):
                    await self.called.wait()
            except TimeoutError:
                text = f"Only {self.calls:,} of {count:,} jobs were worked off."
                raise Refused(text, "Look at Redis with `imbi-worker doctor`.") from None

    async def pick_ups(self) -> list[float]:
        """Seconds from the call of an enqueue to the job's call, of an idle worker."""
        found: list[float] = []
        for _ in range(_PICK_UPS):
            await asyncio.sleep(_PAUSE.total_seconds())
            begun = time.perf_counter()
            await self.enqueue(1)
            await self.until_ended(self.sent)
            found.append(self.ended - begun)
        return found


def _target(number: int) -> Target:
    project = f"p{number % _LANES}"
    return Target(JobContext(project_id=project, project_slug=project, org_slug="bench"))
