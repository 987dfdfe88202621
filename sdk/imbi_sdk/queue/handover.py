"""The seam in Imbi's gateway: what it has at hand for one project, as a delivery of ours.

The gateway runs a project's rules by one call with keywords; ``ActionQueue.enqueue_handlers``
takes the same ones. Of ``plugins_by_slug`` only the id of each rule's plugin is read: what
stands beside it is ciphertext, and no credential enters a job in whatever form.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from pydantic import ValidationError

from imbi_sdk.attempt.report import HandlerOutcome
from imbi_sdk.queue.batch import Batch, Target
from imbi_sdk.queue.delivery import encode_event, id_in_headers, id_in_payload
from imbi_sdk.queue.errors import InvalidDelivery
from imbi_sdk.queue.job import JobContext, WebhookRule
from imbi_sdk.queue.rows import EventRow, StoredRow
from imbi_sdk.queue.wire import where_invalid

_MISSING: Final = object()
_RULE_FIELDS: Final = ("handler", "ordinal", "handler_config", "filter_expression")
_OUTCOME_FIELDS: Final = ("handler", "status", "error", "duration_ms")


def handed_over(
    *,
    event: Any,
    rules: Sequence[Any],
    plugins_by_slug: Mapping[str, Any],
    outcomes: Sequence[Any],
    webhook_id: str | None,
    event_row: Any,
    pointers: Mapping[str, str],
    external_identifier: str,
    **context: str | None,
) -> Batch:
    """Check what the gateway passes for one project: mappings or objects, as it has them.

    *context* is the fields of a `JobContext`.

    :raises InvalidDelivery: names the place, never a value
    """
    content = _plain(event)
    stored = encode_event(content)
    parsed = tuple(_rule(number, rule) for number, rule in enumerate(rules))
    row = None if event_row is None else _row(event_row, outcomes)
    webhook = webhook_id or _text(_at(content, "metadata", "webhook_id"))
    pointer = pointers.get(context.get("service") or "", "")
    return Batch(
        delivery=_delivery(content, webhook, pointer),
        webhook_id=webhook,
        event=stored,
        rules=parsed,
        targets=(Target(_context(context), external_identifier),),
        plugin_ids=_plugin_ids(parsed, plugins_by_slug),
        row=row,
    )


def _delivery(event: Mapping[str, Any], webhook: str, pointer: str) -> str:
    """The sender's own id, else a hash of what it sent; what sent nothing is never a repeat."""
    payload = _at(event, "payload")
    headers = _at(event, "metadata", "headers")
    named = {str(name): str(value) for name, value in headers.items()} if headers else {}
    found = id_in_headers(named) or (id_in_payload(pointer, payload) if pointer else "")
    if found:
        return found
    if not payload:
        return secrets.token_hex(16)
    # The hash of the raw body is out of reach here: its parsed form stands in for it, with
    # webhook and type, since a body such as {"ping": 1} says nothing alone.
    whole = encode_event({"webhook": webhook, "type": event.get("type"), "payload": payload})
    return hashlib.sha256(whole).hexdigest()


def _plugin_ids(rules: Sequence[WebhookRule], plugins_by_slug: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for slug in {rule.handler.partition("#")[0] for rule in rules}:
        plugin = plugins_by_slug.get(slug)
        identifier = None if plugin is None else _get(plugin, "id", None)
        if identifier is not None:
            found[slug] = str(identifier)
    return found


def _rule(number: int, rule: Any) -> WebhookRule:
    try:
        return WebhookRule.model_validate(_fields(rule, _RULE_FIELDS))
    except ValidationError as error:
        raise InvalidDelivery(f"rules[{number}].{where_invalid(error)}") from None


def _context(fields: Mapping[str, str | None]) -> JobContext:
    try:
        return JobContext.model_validate(fields)
    except ValidationError as error:
        raise InvalidDelivery(where_invalid(error)) from None


def _row(event_row: Any, outcomes: Sequence[Any]) -> StoredRow:
    try:
        row = EventRow.model_validate(_fields(event_row, ("id", "recorded_at")))
        ran = [HandlerOutcome.model_validate(_fields(one, _OUTCOME_FIELDS)) for one in outcomes]
    except ValidationError as error:
        raise InvalidDelivery(f"event_row or outcomes: {where_invalid(error)}") from None
    return StoredRow(row=row, ran=tuple(ran))


def _plain(event: Any) -> Mapping[str, Any]:
    dump = getattr(event, "model_dump", None)
    content = dump(mode="json") if callable(dump) else event
    if not isinstance(content, Mapping):
        name = type(content).__name__
        raise InvalidDelivery(f"the event is a {name}, not an object: pass the event context")
    return cast("Mapping[str, Any]", content)


def _fields(value: Any, names: Sequence[str]) -> dict[str, Any]:
    found = {name: _get(value, name, _MISSING) for name in names}
    return {name: item for name, item in found.items() if item is not _MISSING}


def _get(value: Any, name: str, default: Any) -> Any:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value).get(name, default)
    return getattr(value, name, default)


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
