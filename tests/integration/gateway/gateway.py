"""A gateway for tests: it hands over deliveries and reads what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from factories import WEBHOOK, make_signer
from imbi_sdk.queue import ActionQueue, Enqueued, OutcomeConsumer, OutcomeRecord
from imbi_sdk.queue import keys as names

RECORDED = datetime(2026, 11, 22, 15, 30, 0, 123000, tzinfo=UTC)
SOON = timedelta(milliseconds=20)


def an_event(delivery: str = "d-1", *, request: str = "1", **payload: Any) -> dict[str, Any]:
    """An event context as the gateway builds it; *request* makes a redelivery another text."""
    headers = {"x-github-delivery": delivery, "x-request-id": request}
    return {
        "type": "push",
        "third_party_service": "github",
        "attributed_to": "ann@example.com",
        "metadata": {"webhook_id": WEBHOOK, "headers": headers},
        "payload": payload or {"ref": "main"},
    }


def a_rule(handler: str, ordinal: int = 0, config: str = "{}") -> dict[str, Any]:
    return {"handler": handler, "ordinal": ordinal, "handler_config": config}


def a_row(id_: str) -> dict[str, Any]:
    return {"id": id_, "recorded_at": RECORDED}


@dataclass
class Gateway:
    redis: Redis
    consumers: dict[str, OutcomeConsumer] = field(default_factory=dict)

    async def hand_over(
        self,
        *rules: dict[str, Any],
        row: str | None = "row-1",
        project: str = "p-1",
        event: dict[str, Any] | None = None,
        outcomes: Sequence[Any] = (),
        plugins: dict[str, Any] | None = None,
        webhook: str | None = None,
    ) -> Enqueued:
        return await ActionQueue(self.redis, signer=make_signer()).enqueue_handlers(
            org_slug="org",
            project_id=project,
            project_slug=f"slug-of-{project}",
            team_slug="team",
            service_slug="github",
            service_endpoint="https://github.example.com",
            external_identifier=f"external-{project}",
            event=an_event() if event is None else event,
            user_id="ann@example.com",
            rules=rules or (a_rule("github#sync"),),
            plugins_by_slug=plugins or {},
            outcomes=outcomes,
            webhook_id=webhook,
            event_row=None if row is None else a_row(row),
        )

    def consumer(self, name: str = "c-1", **options: Any) -> OutcomeConsumer:
        if name not in self.consumers:
            self.consumers[name] = OutcomeConsumer(self.redis, name=name, **options)
        return self.consumers[name]

    async def read(self, name: str = "c-1") -> list[OutcomeRecord]:
        return await self.consumer(name).read(block=SOON)

    async def told(self, name: str = "c-1") -> list[OutcomeRecord]:
        """What is told now, acknowledged."""
        records = await self.read(name)
        await self.consumer(name).acknowledge(records)
        return records

    async def stored_events(self) -> int:
        return len(await self.redis.keys(f"{names.EVENT}*"))
