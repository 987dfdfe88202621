"""What an enqueue was asked for, and the order that its files make of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imbi_sdk.queue import Target, WebhookRule
from imbi_worker.cli import files
from imbi_worker.operations import enqueueing
from imbi_worker.operations.enqueueing import Order
from imbi_worker.operations.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of ``enqueue`` as they stand on the command line."""

    handlers: Sequence[str]
    rules: Path | None
    config: Path | None
    event: Path | None
    body: Path | None
    event_type: str
    service: str | None
    projects: Sequence[str]
    org: str
    team: str | None
    plugin_ids: Sequence[str]
    delivery: str | None
    webhook: str
    external_identifier: str


def read_order(asked: Asked) -> Order:
    """Read the files.

    :raises InvalidInput: two arguments contradict each other, or a file cannot be used
    """
    _check(asked)
    event, delivery = _event(asked)
    return Order(
        rules=_rules(asked),
        targets=tuple(_target(asked, text) for text in asked.projects),
        event=event,
        webhook=asked.webhook,
        delivery=asked.delivery or delivery,
        plugin_ids=enqueueing.plugin_ids(asked.plugin_ids),
    )


def _check(asked: Asked) -> None:
    files.refuse_stdin_twice([asked.rules, asked.config, asked.event, asked.body])
    if bool(asked.handlers) == bool(asked.rules):
        raise InvalidInput("Name handlers, or pass --rules FILE: one of the two.")
    if asked.rules and asked.config:
        raise InvalidInput("--config goes with a handler; with --rules it stands in the file.")
    if bool(asked.event) == bool(asked.body):
        raise InvalidInput("Pass --event FILE or --body FILE: one of the two.")
    if not asked.projects:
        raise InvalidInput("No project is named.", "Pass --project ID, or ID:slug.")
    if not asked.org:
        raise InvalidInput("No organization is named.", "Pass --org SLUG.")


def _rules(asked: Asked) -> tuple[WebhookRule, ...]:
    if asked.rules is not None:
        return enqueueing.rules_of_file(files.read(asked.rules))
    config = None if asked.config is None else files.read(asked.config)
    return enqueueing.rules_of_handlers(asked.handlers, config)


def _event(asked: Asked) -> tuple[dict[str, Any], str]:
    """The event, and the delivery id that goes with it."""
    source = files.read(asked.event or asked.body or files.STDIN)
    if asked.event is not None:
        event = enqueueing.event_of_file(source)
    else:
        event = enqueueing.event_of_body(
            source,
            event_type=asked.event_type,
            service=asked.service or "",
            webhook=asked.webhook,
        )
    return event, enqueueing.delivery_of(event, source)


def _target(asked: Asked, text: str) -> Target:
    return enqueueing.target(
        text,
        org=asked.org,
        team=asked.team,
        service=asked.service,
        external=asked.external_identifier,
    )
