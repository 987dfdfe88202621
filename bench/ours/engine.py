"""Our engine with a dispatch that decides at once: everything of the queue, nothing of a plugin.

The variant ``own-event`` gives each job a delivery and an event of its own, as the peers' jobs
have; without it ten projects share one, as Imbi's gateway enqueues. ``wide`` has 10,000 lanes,
``crowd`` is a hundred workers in one process.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from bench.harness import Work, main
from bench.ours.nowhere import open_nowhere
from bench.ours.producer import LANES, Deliveries, deliveries, signer
from bench.work import Served
from imbi_sdk.attempt import Redactor, Succeeded, Verdict
from imbi_sdk.queue import keys
from imbi_sdk.queue.delivery import by_project_and_plugin
from imbi_worker.dispatch import Attempt, Terms
from imbi_worker.observability import configure_logs
from imbi_worker.queue import (
    Engine,
    EngineOptions,
    WorkerPlan,
    assembly,
    build_engine,
    connect,
)
from imbi_worker.queue.claims import Claim, Claimer, Request

HANDLER = "bench#nothing"
CROWD = 100
_AT_ONCE = timedelta()


class _Dispatch:
    """In the place of the dispatcher: does the work and calls it a success."""

    graph_down_until: datetime | None = None

    def __init__(self, work: Work) -> None:
        self._work = work
        self._succeeded = Verdict(Succeeded(), timedelta())

    async def run(self, attempt: Attempt) -> Verdict:
        body: dict[str, Any] = {}
        if self._work.reads_payload:
            body = json.loads(attempt.event)["payload"]
        await self._work(body)
        return self._succeeded

    def terms(self, handler: str) -> Terms:  # noqa: ARG002 - the dispatcher's signature
        return Terms()


class _Worker:
    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = engines

    async def run(self) -> None:
        await asyncio.gather(*(engine.async_run() for engine in self._engines))


def _note_claims(work: Served) -> None:
    """When the engines built from now on claimed, got nothing, or were woken before the time."""
    module: Any = assembly

    def note(what: str) -> None:
        work.moments.setdefault(what, []).append(time.perf_counter())

    class Observed(Claimer):
        async def claim(self, request: Request, *, wait: timedelta = _AT_ONCE) -> Claim:
            begun = time.perf_counter()
            claim = await super().claim(request, wait=wait)
            note("claims")
            if request.jobs and not claim.jobs:
                note("empty claims")
            if wait and time.perf_counter() - begun < wait.total_seconds():
                note("wake-ups")
            return claim

    module.Claimer = Observed


class Ours:
    @asynccontextmanager
    async def producer(self, url: str, variant: str) -> AsyncIterator[Deliveries]:
        lanes = 10_000 if variant == "wide" else LANES
        async with deliveries(url, variant, handler=HANDLER, lanes=lanes) as queue:
            yield queue

    @asynccontextmanager
    async def worker(
        self,
        url: str,
        variant: str,
        slots: int,
        work: Work,
    ) -> AsyncIterator[_Worker]:
        # Log lines are written, as in a pod, but to the null device.
        nowhere = open_nowhere()
        configure_logs(level="info", style="json", redactor=Redactor(), stream=nowhere)
        address = SecretStr(url)
        plan = WorkerPlan(
            redis_url=address,
            slugs=["bench"],
            signer=signer(),
            accepts_unsigned=False,
            lane=by_project_and_plugin,
            options=EngineOptions(concurrency=slots),
        )
        dispatch: Any = _Dispatch(work)
        if isinstance(work, Served):
            _note_claims(work)
        count = CROWD if variant == "crowd" else 1
        clients = [connect(address, queue=keys.QUEUE) for _ in range(count)]
        yield _Worker([build_engine(redis, dispatch, plan) for redis in clients])


if __name__ == "__main__":
    main(Ours())
