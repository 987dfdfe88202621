"""One factory for the jobs and bodies of these tests."""

import json
from typing import Any

from pydantic import SecretStr

from imbi_sdk.queue.job import ActionJob
from imbi_sdk.queue.signing import Signer

CANARY = "canary-4f1d-do-not-leak"
HANDLER = "github#create_release"
ENQUEUED_MS = 1_767_225_600_000
JOB_ID = "6debaebbf173edc1eeb401f9fbf41359"


def a_signer(*keys: str) -> Signer:
    return Signer([SecretStr(key) for key in keys or ("a-key-of-the-tests",)])


def a_k(**changes: Any) -> dict[str, Any]:
    """A job's keyword arguments; a change to ``...`` leaves the member out."""
    k: dict[str, Any] = {
        "v": 1,
        "context": {"project_id": "p_1", "project_slug": "api", "org_slug": "acme"},
        "plugin_id": "pl_1",
        "external_identifier": "acme/api",
        "rule": {"handler": HANDLER, "ordinal": 0, "config": "{}"},
        "event_ref": "0" * 64,
        "delivery": "d-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "rojo=00f067aa0ba902b7",
    }
    return {name: value for name, value in {**k, **changes}.items() if value is not ...}


def a_job(**changes: Any) -> ActionJob:
    return ActionJob.model_validate({"id": JOB_ID, "handler": HANDLER, **a_k(**changes)})


def an_inline_job(event: Any) -> ActionJob:
    return a_job(event_ref=..., delivery=..., event=event)


def a_body(function: Any = HANDLER, **changes: Any) -> dict[str, Any]:
    """A whole body as a dict: arq's five members."""
    return {"t": None, "f": function, "a": [], "k": a_k(**changes), "et": ENQUEUED_MS}


def as_bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


def nested(levels: int) -> Any:
    """An object of *levels* levels, built without recursion."""
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value
