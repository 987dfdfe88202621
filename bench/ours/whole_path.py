"""The whole worker as a pod runs it: plugins, graph, credential, context, record, log lines.

Reads REDIS_URL's neighbours from the environment, as `imbi-worker run` does: NEO4J_URL and its
like, both keys, and ACTIONS_IMBI_URL. Log lines are written, to the null device. The variant
``update-project`` enqueues gateway-actions#update_project in place of the action with nothing
to do; its end is seen by the ending, for it is no action of ours.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bench.harness import Work, main
from bench.ours.nowhere import open_nowhere
from bench.ours.plugin import HANDLER, PLUGIN_ID, WORK, Bench
from bench.ours.producer import Deliveries, deliveries
from imbi_sdk.attempt import Redactor
from imbi_worker import builtin, wiring
from imbi_worker.builtin import update_project
from imbi_worker.observability import configure_logs
from imbi_worker.queue import Engine
from imbi_worker.settings import Settings

PLUGIN_IDS: Mapping[str, str] = {"bench": PLUGIN_ID}
UPDATE = "update-project"


class _Worker:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self) -> None:
        await self._engine.async_run()


def _count_updates(work: Work) -> None:
    """The client's answer is the last thing the action waits for: count there."""
    module: Any = builtin
    make_client = module.imbi_client

    class Counting:
        async def patch(self, *path: str, **what: Any) -> None:
            await make_client().patch(*path, **what)
            await work({})

    module.imbi_client = Counting


class WholePath:
    @asynccontextmanager
    async def producer(self, url: str, variant: str) -> AsyncIterator[Deliveries]:
        handler = update_project.HANDLER if variant == UPDATE else HANDLER
        async with deliveries(url, variant, handler=handler, plugin_ids=PLUGIN_IDS) as queue:
            yield queue

    @asynccontextmanager
    async def worker(
        self, url: str, variant: str, slots: int, work: Work
    ) -> AsyncIterator[_Worker]:
        WORK[:] = [work]
        if variant == UPDATE:
            _count_updates(work)
        redactor = Redactor()
        with open_nowhere() as nowhere:
            configure_logs(level="info", style="json", redactor=redactor, stream=nowhere)
            settings = Settings.load(redis_url=url, concurrency=slots)
            async with wiring.worker(settings, redactor, plugins=(Bench,)) as opened:
                yield _Worker(opened.engine)


if __name__ == "__main__":
    main(WholePath())
