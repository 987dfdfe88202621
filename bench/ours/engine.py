"""Our engine with a dispatch that decides at once: everything of the queue, nothing of a plugin.

The variant ``own-event`` gives each job a delivery and an event of its own, as the peers' jobs
have; without it ten projects share one, as Imbi's gateway enqueues. ``wide`` has 10,000 lanes.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from bench.harness import Work, main
from bench.ours.nowhere import open_nowhere
from bench.ours.producer import LANES, Deliveries, deliveries, signer
from imbi_sdk.attempt import Redactor, Succeeded, Verdict
from imbi_sdk.queue import keys
from imbi_sdk.queue.delivery import by_project_and_plugin
from imbi_worker.dispatch import Attempt, Terms
from imbi_worker.observability import configure_logs
from imbi_worker.queue import Engine, EngineOptions, WorkerPlan, build_engine, connect

HANDLER = "bench#nothing"


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
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self) -> None:
        await self._engine.async_run()


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
        variant: str,  # noqa: ARG002 - as the others
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
        yield _Worker(build_engine(connect(address, queue=keys.QUEUE), dispatch, plan))


if __name__ == "__main__":
    main(Ours())
