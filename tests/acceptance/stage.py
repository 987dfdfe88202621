"""A small Imbi to run worker processes in: graph, API, keys, queue."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr

from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.event import event_context
from imbi_sdk.queue import ActionQueue, Enqueued, JobContext, Signer, Target, WebhookRule, keys
from imbi_worker.demo.imbi_api import ImbiApi
from imbi_worker.graph import GraphAddress, Neo4jGraph
from imbi_worker.graph.seed import Seed, SeedPlugin, SeedProject, SeedService, plant
from imbi_worker.queue import connect
from waiting import until

IMBI_TOKEN = "imbi-token-canary-4f1d-do-not-leak"
SERVICE_TOKEN = "service-token-canary-4f1d-do-not-leak"
SIGNING_KEY = "signing-key-canary-4f1d-do-not-leak"
SECRETS = (IMBI_TOKEN, SERVICE_TOKEN, SIGNING_KEY)
PROJECTS = ("p0", "p1", "p2")


class WorkerProcess:
    """`imbi-worker run` as a process; its log goes to a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, within: float = 20) -> int:
        return await asyncio.wait_for(self.process.wait(), within)


class Stage:
    def __init__(self, redis_url: str, graph: GraphAddress, encryption_key: str) -> None:
        self.redis_url = redis_url
        self._graph = graph
        self._encryption_key = encryption_key
        self._stack = AsyncExitStack()
        self._workers: list[WorkerProcess] = []
        self.redis = connect(SecretStr(redis_url), queue=keys.QUEUE)
        self.queue = ActionQueue(self.redis, signer=Signer([SecretStr(SIGNING_KEY)]))
        self.api = ImbiApi(token=SecretStr(IMBI_TOKEN), service_token=SecretStr(SERVICE_TOKEN))

    async def __aenter__(self) -> Self:
        self._directory = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="imbi-stage-"))
        )
        await self._stack.enter_async_context(self.api)
        for project in PROJECTS:
            self.api.add_project("org", project)
        blob = TokenEncryption(self._encryption_key).encrypt(
            json.dumps({"api_token": SERVICE_TOKEN})
        )
        adapter = Neo4jGraph.at(self._graph)
        plugin = SeedPlugin("plugin-1", "demo", blob)
        service = SeedService("demo-service", self.api.service_endpoint, (plugin,))
        projects = tuple(SeedProject(name, name, "team") for name in PROJECTS)
        await plant(adapter, Seed("org", ("team",), (service,), projects))
        await adapter.close()
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            if worker.process.returncode is None:
                worker.kill()
                await worker.process.wait()
        await self.redis.aclose()
        logs = "".join(worker.log() for worker in self._workers)
        await self._stack.aclose()
        for secret in (*SECRETS, self._encryption_key):
            assert secret not in logs, "a secret stands in a worker's log"

    def environment(self, **changes: str) -> dict[str, str]:
        """What a worker needs; *changes* are IMBI_WORKER_ names without the prefix."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("IMBI_", "VALKEY_"))}
        return {
            **kept,
            "REDIS_URL": self.redis_url,
            "NEO4J_URL": self._graph.url,
            "NEO4J_USER": self._graph.user or "",
            "NEO4J_PASSWORD": self._graph.password.get_secret_value(),
            "NEO4J_DATABASE": self._graph.database,
            "IMBI_AUTH_ENCRYPTION_KEY": self._encryption_key,
            "IMBI_WORKER_SIGNING_KEY": SIGNING_KEY,
            "ACTIONS_IMBI_URL": self.api.url,
            "ACTIONS_IMBI_TOKEN": IMBI_TOKEN,
            **{f"IMBI_WORKER_{name.upper()}": value for name, value in changes.items()},
        }

    async def worker(
        self, *, ready: bool = True, environment: dict[str, str] | None = None, **changes: str
    ) -> WorkerProcess:
        """A worker process, running its claim loop unless *ready* is off.

        *environment* replaces whole variables; an empty value takes one away.
        """
        log = self._directory / f"worker-{len(self._workers)}.log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "imbi_worker",
                "run",
                "--demo-plugin",
                env={
                    name: value
                    for name, value in (self.environment(**changes) | (environment or {})).items()
                    if value
                },
                stdout=out,
                stderr=out,
            )
        worker = WorkerProcess(process, log)
        self._workers.append(worker)
        if ready:

            async def beats() -> bool:
                assert process.returncode is None, worker.log()
                seen = await self.redis.zrange(keys.WORKERS, 0, -1)
                return any(f"-{process.pid}-" in name.decode() for name in seen)

            await until(beats, 20)
        return worker

    async def enqueue(
        self,
        *rules: tuple[str, dict[str, Any]],
        delivery: str = "d1",
        projects: tuple[str, ...] = ("p0",),
    ) -> Enqueued:
        """Rules as (handler, config), in order."""
        return await self.queue.enqueue_delivery(
            delivery=delivery,
            webhook_id="webhook-1",
            event=event_context(
                event_type="push",
                service="demo-service",
                webhook_id="webhook-1",
                headers={"x-github-delivery": delivery},
                payload={"ref": "refs/heads/main"},
            ),
            rules=[
                WebhookRule(handler=handler, ordinal=n, handler_config=json.dumps(config))
                for n, (handler, config) in enumerate(rules)
            ],
            targets=[
                Target(JobContext(project_id=name, project_slug=name, org_slug="org"))
                for name in projects
            ],
            plugin_ids={"demo": "plugin-1"},
        )

    async def job(self, id_: str) -> dict[str, str]:
        stored = await self.redis.hgetall(f"{keys.JOB}{id_}")
        return {name.decode(): value.decode() for name, value in stored.items()}

    async def until_state(self, enqueued: Enqueued, *states: str, within: float = 30) -> None:
        async def reached() -> bool:
            found = {(await self.job(job.id)).get("state") for job in enqueued.jobs}
            return found <= set(states)

        await until(reached, within)

    def work(self, label: str) -> list[str]:
        """The phases the service saw of one piece of work: start, end, ..."""
        return [
            request.body["phase"]
            for request in self.api.requests
            if isinstance(request.body, dict) and request.body.get("label") == label
        ]
