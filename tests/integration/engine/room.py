"""A room to run workers in: the engine in the test's own process, on a real Redis."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from arq.connections import ArqRedis
from pydantic import SecretStr

from imbi_sdk.attempt import Redactor, RetryPolicy
from imbi_sdk.queue import ActionQueue, Enqueued, JobContext, Signer, Target, WebhookRule, keys
from imbi_sdk.queue.delivery import by_project_and_plugin
from imbi_worker.dispatch import (
    Dispatcher,
    Dispatches,
    GraphReader,
    InstalledPlugins,
    StoredCredentials,
)
from imbi_worker.graph import GraphAddress, Neo4jGraph
from imbi_worker.queue import EngineOptions, WorkerPlan, build_engine, connect
from imbi_worker.queue.witness import Witness
from imbi_worker.wiring import ApiIdentity, SystemClock
from waiting import until

KEY = SecretStr("a-signing-key-for-tests-only")


class Room:
    """Enqueues, runs workers, reads what became of jobs."""

    def __init__(self, url: str) -> None:
        self.url = SecretStr(url)
        self.redis: ArqRedis = connect(self.url, queue=keys.QUEUE)
        self.signer = Signer([KEY])
        self.queue = ActionQueue(self.redis, signer=self.signer)

    async def enqueue(
        self,
        *configs: dict[str, Any],
        delivery: str = "d1",
        project: str = "p1",
        projects: Sequence[str] = (),
        handler: str = "probe#act",
        payload: dict[str, Any] | None = None,
        webhook: str = "w1",
        plugin_id: str | None = None,
    ) -> Enqueued:
        return await self.queue.enqueue_delivery(
            delivery=delivery,
            webhook_id=webhook,
            event={
                "type": "push",
                "metadata": {"webhook_id": webhook, "headers": {}},
                "payload": payload or {},
            },
            rules=[
                WebhookRule(handler=handler, ordinal=number, handler_config=json.dumps(config))
                for number, config in enumerate(configs)
            ],
            targets=[
                Target(JobContext(project_id=name, project_slug=name, org_slug="o"))
                for name in projects or (project,)
            ],
            plugin_ids={} if plugin_id is None else {handler.partition("#")[0]: plugin_id},
        )

    @asynccontextmanager
    async def worker(
        self,
        *,
        action_timeout: timedelta = timedelta(seconds=30),
        backoff: timedelta = timedelta(milliseconds=50),
        accepts_unsigned: bool = False,
        url: str | None = None,
        witness: Witness | None = None,
        slugs: Sequence[str] = ("probe",),
        dispatcher: Dispatches | None = None,
        graph: GraphReader | None = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        address = SecretStr(url) if url else self.url
        redis = connect(address, queue=keys.QUEUE)
        nowhere = Neo4jGraph.at(GraphAddress("bolt://127.0.0.1:1", None, SecretStr("")))
        grace = options.get("grace", timedelta(seconds=0.2))
        dispatcher = dispatcher or Dispatcher(
            registry=InstalledPlugins(),
            graph=graph or nowhere,
            credentials=StoredCredentials(),
            identity=ApiIdentity(None),
            clock=SystemClock(),
            redactor=Redactor(),
            policy=replace(RetryPolicy(), backoff=(backoff,)),
            default_timeout=action_timeout,
            grace=grace,
        )
        plan = WorkerPlan(
            redis_url=address,
            slugs=slugs,
            signer=self.signer,
            accepts_unsigned=accepts_unsigned,
            lane=by_project_and_plugin,
            options=EngineOptions(
                **{
                    "drain": timedelta(seconds=0.2),
                    "lease": timedelta(seconds=1),
                    **options,
                    "grace": grace,
                }
            ),
        )
        engine = build_engine(redis, dispatcher, plan, witness=witness)
        task = asyncio.create_task(engine.async_run())
        try:
            yield engine
        finally:
            engine.drain()
            try:
                await asyncio.wait_for(task, 20)
            finally:
                await engine.close()
                await nowhere.close()

    async def job(self, id_: str) -> dict[str, str]:
        stored = await self.redis.hgetall(f"{keys.JOB}{id_}")
        return {name.decode(): value.decode() for name, value in stored.items()}

    async def state(self, id_: str) -> str:
        return (await self.job(id_)).get("state", "")

    async def until_ended(self, enqueued: Enqueued, within: float = 15) -> list[dict[str, str]]:
        """The jobs, once all of them are in a terminal state."""

        async def all_ended() -> bool:
            states = [await self.state(job.id) for job in enqueued.jobs]
            return set(states) <= {"succeeded", "skipped", "dead", "cancelled"}

        await until(all_ended, within)
        return [await self.job(job.id) for job in enqueued.jobs]
