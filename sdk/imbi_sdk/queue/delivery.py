"""What a delivery is before it is enqueued: its ids, its event, its lanes."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from jsonpointer import JsonPointerException, resolve_pointer

from imbi_sdk.event import without_logins
from imbi_sdk.queue.errors import InvalidDelivery
from imbi_sdk.queue.flaws import EVENT_DEPTH_LIMIT, find_flaw, is_deeper_than
from imbi_sdk.queue.job import WebhookRule
from imbi_sdk.queue.json_text import dump

EVENT_BYTES_LIMIT = 26 * 1024 * 1024
DELIVERY_ID_LIMIT = 256

Lane: TypeAlias = Callable[[str, str], str]
"""The order key of a job, from project id and plugin slug; ``""`` is no lane."""


def by_project_and_plugin(project_id: str, plugin_slug: str) -> str:
    """Jobs of one plugin for one project run in order; the default."""
    return f"{project_id}/{plugin_slug}"


def by_project(project_id: str, plugin_slug: str) -> str:  # noqa: ARG001 - a Lane takes both
    """All jobs of one project run in order."""
    return project_id


def without_lane(project_id: str, plugin_slug: str) -> str:  # noqa: ARG001 - a Lane takes both
    """No order at all."""
    return ""


def delivery_id(headers: Mapping[str, str], body: bytes, *, pointer: str = "") -> str:
    """The sender's own id of a delivery, or the SHA-256 of its raw body.

    *headers* in any case: GitHub sends ``X-GitHub-Delivery`` and repeats it on *Redeliver*.
    *pointer* is a JSON Pointer to the id in the body, for services that put it there
    (PagerDuty: ``/event/id``); where it leads to no text or number, the hash is taken.
    """
    found = id_in_headers(headers)
    if not found and pointer:
        found = id_in_payload(pointer, _parsed(body))
    return found or hashlib.sha256(body).hexdigest()


def id_in_headers(headers: Mapping[str, str]) -> str:
    """The sender's own id of a delivery, or ``""``."""
    for name, value in headers.items():
        if name.lower() == "x-github-delivery" and value.strip():
            return value.strip()[:DELIVERY_ID_LIMIT]
    return ""


def id_in_payload(pointer: str, payload: Any) -> str:
    """The text or number that *pointer* leads to, or ``""``."""
    try:
        found = resolve_pointer(payload, pointer, None)
    except (ValueError, TypeError, JsonPointerException):
        return ""
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return str(found).strip()[:DELIVERY_ID_LIMIT]


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def job_id(webhook_id: str, delivery: str, project_id: str, handler: str, occurrence: int) -> str:
    """The id of a job: the same facts give the same id, in whatever process.

    *occurrence* counts the rules of one delivery that share a handler, from 0, so a
    rule keeps its id when rules of other handlers move. The first 128 bits of
    SHA-256 over the facts as a JSON array, hexadecimal.
    """
    facts = json.dumps(
        [webhook_id, delivery, project_id, handler, occurrence],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(facts.encode(errors="surrogatepass")).hexdigest()[:32]


def in_rule_order(rules: Sequence[WebhookRule]) -> list[tuple[WebhookRule, int]]:
    """The rules by ordinal (stable), each with its occurrence of its handler."""
    seen: dict[str, int] = {}
    numbered: list[tuple[WebhookRule, int]] = []
    for rule in sorted(rules, key=lambda rule: rule.ordinal):
        occurrence = seen.get(rule.handler, 0)
        seen[rule.handler] = occurrence + 1
        numbered.append((rule, occurrence))
    return numbered


def encode_event(event: Any) -> bytes:
    """The stored bytes of an event context, without the logins in its headers.

    :raises InvalidDelivery: no object, too deep, too large, or not JSON; names the place
    """
    if not isinstance(event, Mapping):
        raise InvalidDelivery(
            f"the event is a {type(event).__name__}, not an object: pass the event context"
        )
    content = without_logins(cast("Mapping[str, Any]", event))
    if is_deeper_than(EVENT_DEPTH_LIMIT, content):
        raise InvalidDelivery(
            f"the event nests deeper than {EVENT_DEPTH_LIMIT} levels: no webhook of use does;"
            " refuse it at the gateway"
        )
    try:
        text = dump(content)
    except (ValueError, TypeError) as error:
        flaw = find_flaw(content) or f"text is not JSON: {type(error).__name__}"
        raise InvalidDelivery(f"the event's {flaw}") from None
    if len(text) > EVENT_BYTES_LIMIT:
        raise InvalidDelivery(
            f"the event has {len(text):,} bytes, the limit is {EVENT_BYTES_LIMIT:,}:"
            " drop what no rule reads before enqueueing"
        )
    return text
