"""Plays the story: enqueues, kills, replays, and waits for what has to be seen first."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from imbi_sdk.queue import Enqueued, JobContext, Target, WebhookRule, keys
from imbi_sdk.testing.deliveries import sample
from imbi_worker.demo.cancellation import cancellable
from imbi_worker.demo.names import NOTIFY, ORGANIZATION
from imbi_worker.demo.parts import mark_of
from imbi_worker.demo.scenes import (
    Act,
    AwaitEnd,
    AwaitHold,
    Deliver,
    KillWorker,
    Redeliver,
    Replay,
    Scene,
)
from imbi_worker.demo.stage import Stage
from imbi_worker.demo.watch import Cast, Watch
from imbi_worker.queue import replay
from imbi_worker.queue.inspection.views import State

ACTOR: Final = "demo"
WEBHOOK: Final = "demo"


@dataclass(frozen=True, slots=True)
class Redelivered:
    """What the queue answered to a delivery that it had already."""

    scene: int
    first: Enqueued
    again: Enqueued


class Director:
    """Plays scenes on a stage; everybody who appears is in the watch's cast."""

    def __init__(self, stage: Stage, watch: Watch) -> None:
        self._stage = stage
        self._watch = watch
        self._deliveries: dict[int, Enqueued] = {}
        self.redelivered: list[Redelivered] = []

    async def play(self, story: Sequence[Scene]) -> None:
        """Returns when every job has ended. Never, if one does not: put a time limit on it."""
        for number, scene in enumerate(story, 1):
            await self._perform(number, scene.opening)
        async with asyncio.TaskGroup() as group:
            for number, scene in enumerate(story, 1):
                group.create_task(cancellable(self._perform(number, scene.sequel)))
        await self._watch.until(lambda seen: seen.has_ended())

    async def _perform(self, scene: int, acts: Sequence[Act]) -> None:
        for act in acts:
            match act:
                case Deliver():
                    await self._deliver(scene, act)
                case Redeliver(delivery):
                    await self._redeliver(scene, delivery)
                case AwaitEnd():
                    await self._watch.until(lambda seen: seen.has_ended(scene))
                case AwaitHold(integration):
                    await self._await_hold(integration)
                case KillWorker():
                    await self._kill_worker(self._only(scene))
                case Replay():
                    await self._replay(self._only(scene))
                case _:
                    assert_never(act)

    def _only(self, scene: int) -> Cast:
        (member,) = (one for one in self._watch.cast if one.scene == scene)
        return member

    async def _deliver(self, scene: int, delivery: Deliver) -> None:
        for fault in delivery.faults:
            self._stage.api.faults.add(fault)
        number = f"demo-{len(self._deliveries) + 1:02}"
        answer = await self._enqueue(number, delivery)
        self._deliveries[id(delivery)] = answer
        parts = [(project, part) for project in delivery.projects for part in delivery.parts]
        webhook = sample(delivery.sample)
        called = f"{webhook.service} {webhook.event_type}"
        self._watch.cast += [
            Cast(job.id, scene, called, project, part)
            for job, (project, part) in zip(answer.jobs, parts, strict=True)
        ]

    async def _redeliver(self, scene: int, delivery: Deliver) -> None:
        first = self._deliveries[id(delivery)]
        again = await self._enqueue(first.delivery, delivery)
        self.redelivered.append(Redelivered(scene, first, again))

    async def _enqueue(self, number: str, delivery: Deliver) -> Enqueued:
        webhook = sample(delivery.sample)
        if webhook.service == "github":
            webhook = webhook.numbered(number)
        return await self._stage.queue.enqueue_delivery(
            delivery=number,
            webhook_id=WEBHOOK,
            event=webhook.event(webhook_id=WEBHOOK),
            rules=[
                WebhookRule(handler=part.handler, ordinal=ordinal, handler_config=part.config)
                for ordinal, part in enumerate(delivery.parts)
            ],
            targets=[target(project, webhook.service) for project in delivery.projects],
            plugin_ids={NOTIFY.partition("#")[0]: delivery.integration},
        )

    async def _await_hold(self, integration: str) -> None:
        scope = f"plugin:{integration}"
        await self._watch.until(lambda seen: any(hold.scope == scope for hold in seen.holds))

    async def _kill_worker(self, member: Cast) -> None:
        api, mark = self._stage.api, member.part.mark
        # Its work has begun when the service has been told so.
        await api.until(lambda: any(mark_of(request.body) == mark for request in api.requests))
        found = await self._stage.inspection.jobs([member.id])
        worker = self._stage.crew.worker(found[member.id].worker)
        if worker is None:
            raise RuntimeError(f"no worker of the demo runs job {member.id}")
        worker.process.kill()
        await worker.process.wait()

    async def _replay(self, member: Cast) -> None:
        def is_dead_letter(job_id: str = member.id) -> bool:
            job = self._watch.latest.jobs.get(job_id)
            return job is not None and job.state is State.DEAD

        await self._watch.until(lambda _: is_dead_letter())
        await replay(
            self._stage.redis,
            queue=keys.QUEUE,
            job=member.id,
            actor=ACTOR,
            reason="the cause of the 404 is mended",
        )


def target(project: str, service: str, external_identifier: str = "") -> Target:
    """A project of the demo, as the service knows it."""
    return Target(
        JobContext(
            project_id=project, project_slug=project, org_slug=ORGANIZATION, service=service
        ),
        external_identifier or f"{ORGANIZATION}/{project}",
    )
