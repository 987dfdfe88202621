"""Producers: each enqueues deliveries, and repeats a call with its nonce until it is answered."""

import asyncio
import json
import random
import time
from contextlib import suppress
from typing import Final

from pydantic import SecretStr

from chaos.history import History
from chaos.plugin import HANDLER, SLUG, Deed
from chaos.proxy import Proxy, some_cut
from imbi_sdk.queue import (
    ActionQueue,
    Enqueued,
    JobContext,
    QueueError,
    Signer,
    Target,
    WebhookRule,
    keys,
)
from imbi_worker.queue import connect

SIGNING_KEY: Final = "signing-key-canary-4f1d-do-not-leak"
LANES: Final = 500
_WEBHOOK: Final = "webhook-1"
_REMEMBERED: Final = 200
_AGAIN: Final = 0.02
_CALLS_AT_ONCE: Final = 4
# Deed, its weight, and the seconds it takes at most.
_DEEDS: Final = (
    ("work", 8800, 0.05),
    ("long result", 20, 0.0),
    ("fail twice", 400, 0.02),
    ("fail always", 60, 0.0),
    ("fail for good", 100, 0.0),
    ("skip", 100, 0.0),
    ("limit", 20, 0.0),
    ("long error", 30, 0.0),
    ("exit once", 10, 0.0),
    ("exit always", 4, 0.0),
    ("leave", 50, 0.0),
    ("block", 20, 3.0),
    ("dawdle", 200, 4.0),
    ("swallow", 30, 5.0),
)


class Producer:
    """One gateway. What was accepted stands in the history and in *jobs*."""

    def __init__(
        self, name: str, proxy: Proxy, history: History, chance: random.Random, jobs: list[str]
    ) -> None:
        self._name = name
        self._proxy = proxy
        self._history = history
        self._chance = chance
        self._jobs = jobs
        self._count = 0
        self._past: list[int] = []
        self._free = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def run(self, *, stop: asyncio.Event, rate: float, most: int) -> None:
        """Until *stop*, some *rate* deliveries a second, while *jobs* holds less than *most*."""
        await self._proxy.start()
        redis = connect(SecretStr(self._proxy.url), queue=keys.QUEUE)
        queue = ActionQueue(redis, signer=Signer([SecretStr(SIGNING_KEY)]))
        try:
            async with asyncio.TaskGroup() as calls:
                due = time.monotonic()
                while not stop.is_set() and len(self._jobs) < most:
                    await self._free.acquire()
                    calls.create_task(self._deliver(queue))
                    # What Redis kept waiting is made up for: webhooks come when they come.
                    due += self._chance.uniform(0, 2 / rate)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(due - time.monotonic()):
                            await stop.wait()
        finally:
            await redis.aclose()
            await self._proxy.stop()

    def cut(self) -> None:
        self._proxy.cut(some_cut(self._chance))

    async def _deliver(self, queue: ActionQueue) -> None:
        is_again = self._chance.random() < _AGAIN and bool(self._past)
        if is_again:
            number = self._chance.choice(self._past)
        else:
            self._count += 1
            number = self._count
        delivery = f"{self._name}.{number}"
        nonce = f"{delivery}.{self._chance.random()}"
        self._history.note("offered", nonce=nonce)
        enqueued = await self._until_answered(queue, delivery, nonce)
        self._free.release()
        for job in enqueued.jobs:
            what = "again" if is_again else "accepted"
            lane = f"{job.project_id}/{SLUG}"
            self._history.note(what, nonce=nonce, job=job.id, lane=lane, how=str(job.status))
            if not is_again:
                self._jobs.append(job.id)
        if not is_again:
            self._past = [*self._past[1 - _REMEMBERED :], number]

    async def _until_answered(self, queue: ActionQueue, delivery: str, nonce: str) -> Enqueued:
        # The same delivery is the same whenever it comes: its content hangs on its name.
        content = random.Random(delivery)  # noqa: S311 - chance to be repeated, no secret
        projects = content.sample(range(LANES), content.choice((1, 1, 1, 2)))
        targets = [
            Target(JobContext(project_id=f"p{n}", project_slug=f"p{n}", org_slug="org"))
            for n in projects
        ]
        rules = [_rule(content, ordinal) for ordinal in range(content.choice((1, 1, 2, 3)))]
        while True:
            try:
                return await queue.enqueue_delivery(
                    delivery=delivery,
                    webhook_id=_WEBHOOK,
                    event={"type": "push", "payload": {"padding": "x" * content.choice((10, 999))}},
                    rules=rules,
                    targets=targets,
                    nonce=nonce,
                )
            except QueueError:
                await asyncio.sleep(0.1)


def _rule(content: random.Random, ordinal: int) -> WebhookRule:
    names, weights, longest = zip(*_DEEDS, strict=True)
    at = content.choices(range(len(names)), weights)[0]
    deed = Deed(does=names[at], seconds=round(content.uniform(0, longest[at]), 3))
    config = json.dumps(deed.model_dump())
    return WebhookRule(handler=HANDLER, ordinal=ordinal, handler_config=config)
