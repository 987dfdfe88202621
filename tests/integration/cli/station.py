"""A place to play gateway and worker from a synchronous test, around calls of the CLI."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import SecretStr
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from imbi_sdk.queue import ActionQueue, JobContext, Signer, Target, WebhookRule, keys
from imbi_worker.cli.program import app
from imbi_worker.queue.claims import ClaimedJob, Claimer, Request
from imbi_worker.queue.finishing import Ending, Finisher, Kind
from imbi_worker.queue.presence import Presence

Found = TypeVar("Found")
SIGNING_KEY = "a signing key for tests only"
LEASE = timedelta(seconds=15)


@dataclass
class Station:
    """Every method is one step; each opens and closes its own connection."""

    url: str
    slugs: tuple[str, ...] = ("github", "demo", "gateway-actions")
    claims: int = field(default=1)

    def call(self, *arguments: str, text: str | None = None, raw: bytes | None = None) -> Result:
        """The CLI in this process; *text*, or *raw* bytes, on its stdin."""
        return CliRunner().invoke(app, list(arguments), input=text if raw is None else raw)

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        """The CLI's answer with ``--json``; it must have gone well."""
        result = self.call(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    def enqueue(
        self,
        *handlers: str,
        delivery: str = "delivery-1",
        projects: Sequence[str] = ("p-1",),
        config: str = "{}",
        payload: dict[str, Any] | None = None,
        signing_key: str | None = SIGNING_KEY,
    ) -> list[str]:
        """The ids of one job for each handler and project."""
        event = {
            "type": "push",
            "third_party_service": "github",
            "attributed_to": "",
            "metadata": {"webhook_id": "wh-1", "headers": {}},
            "payload": payload or {"action": "pushed"},
        }
        rules = [
            WebhookRule(handler=handler, ordinal=nth, handler_config=config)
            for nth, handler in enumerate(handlers or ("github#sync",))
        ]
        targets = [
            Target(JobContext(project_id=project, project_slug=project, org_slug="org"))
            for project in projects
        ]
        signer = None if signing_key is None else Signer([SecretStr(signing_key)])

        async def work(redis: Redis) -> list[str]:
            done = await ActionQueue(redis, signer=signer).enqueue_delivery(
                delivery=delivery, webhook_id="wh-1", event=event, rules=rules, targets=targets
            )
            return [job.id for job in done.jobs]

        return self.do(work)

    def claim(self, worker: str = "w1") -> list[ClaimedJob]:
        async def work(redis: Redis) -> list[ClaimedJob]:
            claimer = Claimer(redis, queue=keys.QUEUE, worker=worker, lease=LEASE, slugs=self.slugs)
            claimer._number = self.claims
            self.claims += 1
            request = Request(100, 64 * 1024 * 1024, True, False, True)  # noqa: FBT003 - a worker with nothing to do
            return list((await claimer.claim(request)).jobs)

        return self.do(work)

    def end(self, jobs: Sequence[ClaimedJob], kind: Kind, **fields: Any) -> None:
        async def work(redis: Redis) -> list[str]:
            finisher = Finisher(
                redis,
                queue=keys.QUEUE,
                patience=timedelta(minutes=30),
                on_settled=lambda _, __: None,
            )
            return await finisher._call([Ending(job.id, job.token, kind, **fields) for job in jobs])

        assert self.do(work) == ["ok"] * len(jobs)

    def bury(self, error: str = "HTTP 404") -> list[str]:
        """Claim what is due and bury it; the ids."""
        jobs = self.claim()
        record = json.dumps({"n": 1, "outcome": "dead", "worker": "w1", "error": error})
        self.end(
            jobs, "dead", reason="permanent error", error=error, status="failed", record=record
        )
        return [job.id for job in jobs]

    def succeed(self) -> list[str]:
        jobs = self.claim()
        self.end(jobs, "succeeded", status="succeeded", duration_ms="12")
        return [job.id for job in jobs]

    def beat(self, worker: str = "w1") -> None:
        """A worker's heartbeat."""

        async def work(redis: Redis) -> None:
            await Presence(
                redis, queue=keys.QUEUE, worker=worker, slugs=self.slugs, report=dict
            ).beat()

        self.do(work)

    def do(self, work: Callable[[Redis], Awaitable[Found]]) -> Found:
        async def main() -> Found:
            async with Redis.from_url(self.url) as redis:
                return await work(redis)

        return asyncio.run(main())
