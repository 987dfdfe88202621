"""Enqueueing by hand: rules, event and projects from texts, then what a gateway does."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from imbi_sdk.event import event_context
from imbi_sdk.queue import (
    ActionQueue,
    Enqueued,
    EnqueueStatus,
    JobContext,
    QueueUnavailable,
    Target,
    WebhookRule,
    delivery_id,
)
from imbi_worker.operations.errors import InvalidInput, Unavailable, operation_errors
from imbi_worker.operations.sources import Source, parse_json
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.outcomes import follow
from imbi_worker.queue.inspection.views import JobView

_RULES = 'Write [{"handler": "<plugin>#<action>", "ordinal": 0, "handler_config": {...}}].'
_EVENT_KEYS = ("type", "third_party_service", "attributed_to", "metadata", "payload")


@dataclass(frozen=True, slots=True)
class Order:
    """Everything an enqueue needs."""

    rules: tuple[WebhookRule, ...]
    targets: tuple[Target, ...]
    event: Mapping[str, Any] = field(repr=False)
    webhook: str
    delivery: str
    plugin_ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EnqueuedView:
    """One job of an enqueue: *status* is accepted, duplicate or revived."""

    job: str
    handler: str
    project: str
    delivery: str
    status: EnqueueStatus


def rules_of_handlers(handlers: Sequence[str], config: Source | None) -> tuple[WebhookRule, ...]:
    """One rule for each of *handlers*, in their order.

    :raises InvalidInput: no handler, or a config that is no JSON
    """
    text = "{}"
    if config is not None:
        if len(handlers) != 1:
            raise InvalidInput(
                f"--config is for one handler, and there are {len(handlers)}.",
                "Put the configs into a file of rules and pass it as --rules.",
            )
        parse_json(config)
        text = config.text
    described = [{"handler": handler, "handler_config": text} for handler in handlers]
    return tuple(
        _rule({**rule, "ordinal": nth}, f"handler {nth + 1}") for nth, rule in enumerate(described)
    )


def rules_of_file(source: Source) -> tuple[WebhookRule, ...]:
    """The rules in a JSON list; ``handler_config`` is an object or JSON text.

    :raises InvalidInput: naming the file and the pointer
    """
    found = parse_json(source)
    if not isinstance(found, list) or not found:
        raise InvalidInput(f"{source.name} is no list of rules.", _RULES)
    rules: list[WebhookRule] = []
    for nth, item in enumerate(found):
        place = f"{source.name} /{nth}"
        if not isinstance(item, dict):
            raise InvalidInput(f"{place} is no object.", _RULES)
        config = item.get("handler_config", {})
        text = config if isinstance(config, str) else json.dumps(config, ensure_ascii=False)
        rules.append(_rule({"ordinal": nth, **item, "handler_config": text}, place))
    return tuple(rules)


def _rule(described: Mapping[str, Any], place: str) -> WebhookRule:
    try:
        return WebhookRule.model_validate(described)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{place}{pointer}: {reason}.", _RULES) from None


def event_of_file(source: Source) -> dict[str, Any]:
    """An event context as a gateway builds it.

    :raises InvalidInput: no JSON object, or one without the parts of an event
    """
    found = parse_json(source)
    missing = [key for key in _EVENT_KEYS if not isinstance(found, dict) or key not in found]
    if missing:
        raise InvalidInput(
            f"{source.name} is no event context: it has no {', '.join(missing)}.",
            "If it is a webhook's body, pass it as --body.",
        )
    return dict(found)


def event_of_body(source: Source, *, event_type: str, service: str, webhook: str) -> dict[str, Any]:
    """The event context around a webhook's body.

    :raises InvalidInput: the body is no JSON object
    """
    payload = parse_json(source)
    if not isinstance(payload, dict):
        raise InvalidInput(f"{source.name} is no JSON object.", "Webhooks send objects.")
    return event_context(
        event_type=event_type, service=service, webhook_id=webhook, headers={}, payload=payload
    )


def target(text: str, *, org: str, team: str | None, service: str | None, external: str) -> Target:
    """``ID`` or ``ID:slug`` as a target.

    :raises InvalidInput: there is no id in it
    """
    project, _, slug = text.partition(":")
    if not project:
        raise InvalidInput(f"{text!r} names no project.", "Write --project ID or ID:slug.")
    context = JobContext(
        project_id=project,
        project_slug=slug or project,
        org_slug=org,
        team_slug=team,
        service=service,
    )
    return Target(context, external)


def plugin_ids(texts: Sequence[str]) -> dict[str, str]:
    """``slug=id`` texts as a mapping.

    :raises InvalidInput: one of them has another form
    """
    found = [text.partition("=") for text in texts]
    for text, (slug, _, id_) in zip(texts, found, strict=True):
        if not slug or not id_:
            raise InvalidInput(f"{text!r} is no plugin id.", "Write --plugin-id slug=id.")
    return {slug: id_ for slug, _, id_ in found}


def delivery_of(event: Mapping[str, Any], source: Source) -> str:
    """The delivery id that a gateway would find: the sender's, or the text's SHA-256."""
    metadata = event.get("metadata")
    headers = metadata.get("headers") if isinstance(metadata, Mapping) else None
    named = {str(k): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {}
    return delivery_id(named, source.text.encode(errors="surrogatepass"))


async def enqueue(queue: ActionQueue, order: Order) -> tuple[EnqueuedView, ...]:
    """One job for each rule and project.

    :raises InvalidInput: the event cannot be stored; names the pointer
    :raises Unavailable: nobody knows whether it was enqueued
    """
    with operation_errors(), _unheard():
        done: Enqueued = await queue.enqueue_delivery(
            delivery=order.delivery,
            webhook_id=order.webhook,
            event=order.event,
            rules=order.rules,
            targets=order.targets,
            plugin_ids=order.plugin_ids,
        )
    return tuple(
        EnqueuedView(job.id, job.handler, job.project_id, done.delivery, job.status)
        for job in done.jobs
    )


@contextmanager
def _unheard() -> Iterator[None]:
    try:
        yield
    except QueueUnavailable as error:
        hint = "Run it again when Redis answers: what was enqueued is not enqueued twice."
        raise Unavailable(f"{error.problem}.", hint) from None


async def ended(inspection: Inspection, jobs: Sequence[str]) -> AsyncIterator[JobView]:
    """Each of *jobs* as it ends; bound it with ``asyncio.timeout``."""
    with operation_errors():
        async for view in follow(inspection, jobs):
            yield view
