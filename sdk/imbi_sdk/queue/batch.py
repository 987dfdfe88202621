"""A delivery as it is handed over: rules and targets in, the jobs they give out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from imbi_sdk.queue.delivery import DELIVERY_ID_LIMIT, in_rule_order, job_id
from imbi_sdk.queue.errors import InvalidDelivery
from imbi_sdk.queue.job import ActionJob, JobContext, RuleOnWire, WebhookRule
from imbi_sdk.queue.rows import StoredRow
from imbi_sdk.queue.signing import event_digest
from imbi_sdk.queue.wire import where_invalid


@dataclass(frozen=True, slots=True)
class Target:
    """One project a delivery concerns, and what the sender calls it."""

    context: JobContext
    external_identifier: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is enqueued at once; *row* is the activity row of its only target.

    *event* is its stored bytes, *plugin_ids* by plugin slug.
    """

    delivery: str
    webhook_id: str
    event: bytes = field(repr=False)
    rules: Sequence[WebhookRule]
    targets: Sequence[Target]
    plugin_ids: Mapping[str, str]
    traceparent: str | None = None
    tracestate: str | None = None
    row: StoredRow | None = None


def jobs_of(batch: Batch) -> list[ActionJob]:
    """The jobs, target by target, those of one in rule order.

    :raises InvalidDelivery: a field of a job is not valid; names it
    """
    webhook, delivery, digest = batch.webhook_id, batch.delivery, event_digest(batch.event)
    try:
        numbered = [(_on_wire(rule), nth) for rule, nth in in_rule_order(batch.rules)]
        return [
            ActionJob(
                id=job_id(webhook, delivery, target.context.project_id, rule.handler, nth),
                handler=rule.handler,
                context=target.context,
                plugin_id=batch.plugin_ids.get(rule.handler.partition("#")[0]),
                external_identifier=target.external_identifier,
                rule=rule,
                event_ref=digest,
                delivery=delivery,
                traceparent=batch.traceparent,
                tracestate=batch.tracestate,
            )
            for target in batch.targets
            for rule, nth in numbered
        ]
    except ValidationError as error:
        raise InvalidDelivery(f"a job's {where_invalid(error)}") from None


def _on_wire(rule: WebhookRule) -> RuleOnWire:
    return RuleOnWire(handler=rule.handler, ordinal=rule.ordinal, config=rule.handler_config)


def check_delivery(delivery: str) -> None:
    """:raises InvalidDelivery: the id cannot be one"""
    if not delivery or len(delivery) > DELIVERY_ID_LIMIT or not delivery.isprintable():
        raise InvalidDelivery(
            f"the delivery id must be 1 to {DELIVERY_ID_LIMIT} printable characters:"
            " use imbi_sdk.queue.delivery_id(headers, body)"
        )
