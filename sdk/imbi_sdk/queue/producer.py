"""The gateway's side of the queue: rules in, jobs in Redis, an answer for each."""

import secrets
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from imbi_sdk.queue import keys
from imbi_sdk.queue.batch import Batch, Target, check_delivery, jobs_of
from imbi_sdk.queue.delivery import Lane, by_project_and_plugin, encode_event
from imbi_sdk.queue.enqueue_calls import Call, send_all
from imbi_sdk.queue.enqueue_counter import EnqueueCounter
from imbi_sdk.queue.enqueued import Enqueued, answer
from imbi_sdk.queue.errors import InvalidDelivery, QueueError
from imbi_sdk.queue.handover import handed_over
from imbi_sdk.queue.job import ActionJob, WebhookRule
from imbi_sdk.queue.scripts import Executes
from imbi_sdk.queue.signing import Signer
from imbi_sdk.queue.tracing import BATCH, sending, server_of
from imbi_sdk.queue.wire import encode

JOBS_PER_CALL = 1_000

_NO_POINTERS: Final[Mapping[str, str]] = MappingProxyType({})


class ActionQueue:
    """Enqueues the jobs of deliveries.

    *redis* is a ``redis.asyncio`` client (an ``ArqRedis`` is one), shared and not
    closed here. Without *signer* jobs are unsigned and most workers refuse them.
    *pointers* is for `enqueue_handlers`: by the slug of a third-party service, a JSON
    Pointer to the sender's own id of a delivery in the payload (PagerDuty: ``/event/id``).
    *counter* counts for Prometheus what becomes of jobs. Where OpenTelemetry is set up, a
    call is a span, which each of its jobs names to its worker.
    """

    def __init__(
        self,
        redis: Executes,
        *,
        signer: Signer | None,
        queue: str = keys.QUEUE,
        lane: Lane = by_project_and_plugin,
        pointers: Mapping[str, str] = _NO_POINTERS,
        counter: EnqueueCounter | None = None,
    ) -> None:
        self._redis = redis
        self._signer = signer
        self._queue = queue
        self._lane = lane
        self._pointers = pointers
        self._counter = counter
        self._server = server_of(redis)

    async def enqueue_delivery(
        self,
        *,
        delivery: str,
        webhook_id: str,
        event: Mapping[str, Any],
        rules: Sequence[WebhookRule],
        targets: Sequence[Target],
        plugin_ids: Mapping[str, str] | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        nonce: str | None = None,
    ) -> Enqueued:
        """One job for every rule and target, in rule order, each accepted or told why not.

        *plugin_ids* maps plugin slugs to plugin ids in the graph; a plugin without an
        entry runs without credentials. *traceparent* is the caller's trace, where it is not
        the current one of OpenTelemetry, and *tracestate* goes with it. The whole delivery
        is one call of Redis; more than 1,000 jobs go in calls of 1,000 that succeed or fail
        one by one, and a repeat with the same *nonce* completes what an earlier try began.

        :raises InvalidDelivery: nothing was enqueued; names the place
        :raises QueueUnavailable: Redis is away or full; safe to repeat with *nonce*
        :raises QueueError: Redis refused, e.g. it holds another layout
        """
        with self._counting(rules, targets):
            batch = Batch(
                delivery=delivery,
                webhook_id=webhook_id,
                event=encode_event(event),
                rules=rules,
                targets=targets,
                plugin_ids=plugin_ids or {},
                traceparent=traceparent,
                tracestate=tracestate,
            )
            return await self._enqueue(batch, nonce)

    async def enqueue_handlers(
        self,
        *,
        org_slug: str,
        project_id: str,
        project_slug: str,
        team_slug: str | None,
        service_slug: str | None,
        service_endpoint: str | None,
        external_identifier: str,
        event: Any,
        user_id: str | None,
        rules: Sequence[Any],
        plugins_by_slug: Mapping[str, Any],
        outcomes: Sequence[Any],
        service_plugins: Sequence[Any] = (),
        webhook_id: str | None = None,
        event_row: Any = None,
    ) -> Enqueued:
        """Enqueue in place of running: the keywords are those of the gateway's own call.

        Rules, plugins, outcomes and *event_row* (``id``, ``recorded_at``) may be
        mappings or objects. Of *plugins_by_slug* only the ids are read; endpoint and
        sibling plugins come from the graph when an attempt begins. *outcomes* are those of
        rules the gateway has run itself: they open the list of the feed's record. Without
        *event_row* the delivery has no row in the feed.

        :raises InvalidDelivery: nothing was enqueued; names the place
        :raises QueueUnavailable: Redis is away or full; answer the sender with a 503
        :raises QueueError: Redis refused, e.g. it holds another layout
        """
        del service_endpoint, service_plugins  # a job must not say where a credential goes
        batch = handed_over(
            event=event,
            rules=rules,
            plugins_by_slug=plugins_by_slug,
            outcomes=outcomes,
            webhook_id=webhook_id,
            event_row=event_row,
            pointers=self._pointers,
            external_identifier=external_identifier,
            org_slug=org_slug,
            project_id=project_id,
            project_slug=project_slug,
            team_slug=team_slug,
            actor=user_id,
            service=service_slug,
        )
        with self._counting(batch.rules, batch.targets):
            return await self._enqueue(batch, None)

    async def _enqueue(self, batch: Batch, nonce: str | None) -> Enqueued:
        check_delivery(batch.delivery)
        given = (batch.traceparent, batch.tracestate)
        with sending(self._queue, batch.delivery, given=given, server=self._server) as sent:
            carried = replace(batch, traceparent=sent.traceparent, tracestate=sent.tracestate)
            jobs = jobs_of(carried)
            sent.tell({BATCH: len(jobs)})
            enqueued = await self._send(batch, jobs, nonce)
        if self._counter is not None:
            for job in enqueued.jobs:
                self._counter.count(job.handler, job.status)
        return enqueued

    async def _send(self, batch: Batch, jobs: Sequence[ActionJob], nonce: str | None) -> Enqueued:
        nonce = nonce or secrets.token_hex(12)
        # All encoded before the first is sent: what is refused is refused whole.
        calls = [
            self._encode(f"{nonce}.{start}", batch, jobs[start : start + JOBS_PER_CALL])
            for start in range(0, len(jobs), JOBS_PER_CALL)
        ]
        letters = await send_all(self._redis, self._queue, calls)
        answers = tuple(answer(*pair) for pair in zip(jobs, letters, strict=True))
        return Enqueued(batch.delivery, answers, len(calls))

    @contextmanager
    def _counting(self, rules: Sequence[WebhookRule], targets: Sequence[Target]) -> Generator[None]:
        try:
            yield
        except (InvalidDelivery, QueueError):
            if self._counter is not None:
                self._counter.reject(rules, len(targets))
            raise

    def _encode(self, nonce: str, batch: Batch, jobs: Sequence[ActionJob]) -> Call:
        now = int(time.time() * 1000)
        arguments: list[Any] = [len(jobs)]
        for job in jobs:
            project = job.context.project_id
            slug = job.handler.partition("#")[0]
            try:
                body = encode(job, signer=self._signer, enqueued_ms=now)
            except ValueError as error:
                raise InvalidDelivery(f"job {job.handler} of project {project}: {error}") from None
            lane = self._lane(project, slug)
            arguments += [job.id, job.handler, job.plugin_id or "", lane, project]
            arguments += [job.rule.ordinal, job.v, body]
        if batch.row is not None:
            project = jobs[0].context.project_id
            arguments += [project, batch.row.row.id, batch.row.model_dump_json()]
        return Call(
            delivery=batch.delivery,
            nonce=nonce,
            digest=str(jobs[0].event_ref),
            event=batch.event,
            jobs=arguments,
            has_row=batch.row is not None,
        )
