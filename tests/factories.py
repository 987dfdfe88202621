"""One place that makes what tests enqueue: rules, targets, events, signers, jobs."""

from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from imbi_sdk.queue import (
    ActionJob,
    JobContext,
    RuleOnWire,
    Signer,
    Target,
    WebhookRule,
    job_id,
)
from imbi_sdk.queue.signing import canonical, event_digest

HANDLER = "github#sync"
WEBHOOK = "webhook-1"
SIGNING_KEY = "a signing key for tests only"


def make_rule(handler: str = HANDLER, ordinal: int = 0, config: str = "{}") -> WebhookRule:
    return WebhookRule(handler=handler, ordinal=ordinal, handler_config=config)


def make_rules(*handlers: str) -> list[WebhookRule]:
    """Rules in the order given."""
    return [make_rule(handler, ordinal) for ordinal, handler in enumerate(handlers)]


def make_context(project: str = "p-1") -> JobContext:
    return JobContext(
        project_id=project, project_slug=f"slug-of-{project}", org_slug="org", service="github"
    )


def make_target(project: str = "p-1") -> Target:
    return Target(make_context(project), external_identifier=f"external-{project}")


def make_targets(*projects: str) -> list[Target]:
    return [make_target(project) for project in projects]


def make_event(*, payload: dict[str, Any] | None = None, size: int = 0) -> dict[str, Any]:
    """An event context; *size* pads its payload by so many bytes."""
    body = dict(payload or {"action": "pushed"})
    if size:
        body["padding"] = "x" * size
    return {
        "type": "push",
        "third_party_service": "github",
        "attributed_to": None,
        "metadata": {},
        "payload": body,
    }


def make_signer(*keys: str) -> Signer:
    return Signer([SecretStr(key) for key in keys or (SIGNING_KEY,)])


def make_job(
    *,
    handler: str = HANDLER,
    project: str = "p-1",
    delivery: str = "delivery-1",
    event: dict[str, Any] | None = None,
    config: str = "{}",
    occurrence: int = 0,
    plugin_id: str | None = None,
) -> ActionJob:
    """A job that refers to its event, as a gateway makes it."""
    return ActionJob(
        id=job_id(WEBHOOK, delivery, project, handler, occurrence),
        handler=handler,
        context=make_context(project),
        plugin_id=plugin_id,
        rule=RuleOnWire(handler=handler, config=config),
        event_ref=event_digest(canonical(event if event is not None else make_event())),
        delivery=delivery,
    )


def make_keywords(
    *,
    handler: str = HANDLER,
    project: str = "p-1",
    delivery: str = "",
    config: str = "{}",
    event: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The keyword arguments a stock arq client enqueues, with the event in the job; unsigned."""
    return {
        "v": 1,
        "context": make_context(project).model_dump(mode="json", exclude_none=True),
        "external_identifier": "",
        "rule": {"handler": handler, "ordinal": 0, "config": config},
        "event": event if event is not None else make_event(),
        "delivery": delivery,
    }


def job_ids(
    handlers: Sequence[str], projects: Sequence[str], delivery: str = "delivery-1"
) -> list[str]:
    """The ids a delivery gives, project by project, when no handler occurs twice."""
    return [
        job_id(WEBHOOK, delivery, project, handler, 0)
        for project in projects
        for handler in handlers
    ]
