"""The gateway's side: deliveries of ten projects, or of one where every job has its own event."""

import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from imbi_sdk.queue import ActionQueue, JobContext, Signer, Target, WebhookRule, keys
from imbi_worker.queue import connect

SIGNING_KEY = "a signing key of the benchmark"
PROJECTS = 10
LANES = 500
CONFIGS = {
    "gateway-actions#update_project": [{"path": "/label", "from": "/payload/ref"}],
}


def signer() -> Signer:
    return Signer([SecretStr(SIGNING_KEY)])


class Deliveries:
    """*width* jobs a delivery; the jobs of all deliveries lie in *lanes* lanes."""

    def __init__(
        self,
        queue: ActionQueue,
        *,
        handler: str,
        width: int,
        lanes: int = LANES,
        plugin_ids: Mapping[str, str] | None = None,
    ) -> None:
        self._queue = queue
        config = json.dumps(CONFIGS.get(handler, {}))
        self._rules = [WebhookRule(handler=handler, handler_config=config)]
        self._width = width
        self._lanes = lanes
        self._plugin_ids = plugin_ids or {}
        self._sent = 0
        # Another producer's deliveries of the same numbers are no duplicates of these.
        self._name = secrets.token_hex(4)

    async def enqueue(self, payloads: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(payloads), self._width):
            count = min(self._width, len(payloads) - start)
            await self._queue.enqueue_delivery(
                delivery=f"{self._name}-{self._sent}",
                webhook_id="w",
                event=_event(payloads[start]),
                rules=self._rules,
                targets=[self._target(self._sent + n) for n in range(count)],
                plugin_ids=self._plugin_ids,
            )
            self._sent += count

    def _target(self, number: int) -> Target:
        project = f"p{number % self._lanes}"
        return Target(JobContext(project_id=project, project_slug="p", org_slug="o"))


def _event(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "push",
        "third_party_service": "github",
        "attributed_to": "",
        "metadata": {"webhook_id": "w", "headers": {}},
        "payload": body,
    }


@asynccontextmanager
async def deliveries(
    url: str,
    variant: str,
    *,
    handler: str,
    lanes: int = LANES,
    plugin_ids: Mapping[str, str] | None = None,
) -> AsyncIterator[Deliveries]:
    redis = connect(SecretStr(url), queue=keys.QUEUE)
    queue = ActionQueue(redis, signer=signer())
    width = 1 if variant == "own-event" else PROJECTS
    yield Deliveries(queue, handler=handler, width=width, lanes=lanes, plugin_ids=plugin_ids)
    await redis.aclose()
