"""A job's body: arq's JSON object with our keyword arguments in ``k``.

    {"t": null, "f": "github#sync", "a": [], "k": {"v": 1, ..., "sig": ...}, "et": 1767225600000}

``wire.schema.json`` beside this module describes it, ``vectors.json`` holds examples
with their ids and signatures for other languages. Never pickle.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from imbi_sdk.queue.job import WIRE_VERSION, ActionJob
from imbi_sdk.queue.signing import Signer

_PICKLE = b"\x80"


class WireError(ValueError):
    """A body that is no job of ours; the text says what is wrong, never what it holds."""


class ForeignJob(WireError):  # noqa: N818 - a finding, not a failure: the job may be another program's
    """A body of another arq program: its function name is no handler."""


class NewerWire(WireError):  # noqa: N818 - a finding, not a failure: a newer worker can run it
    """A body of a version this program does not know yet."""


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body: the job and the parts that were signed."""

    job: ActionJob
    k: dict[str, Any]

    def is_signed_by(self, signer: Signer) -> bool:
        return signer.is_valid(self.job.id, self.job.handler, self.k)


def encode(job: ActionJob, *, signer: Signer | None, enqueued_ms: int) -> bytes:
    """The body of *job*, signed when there is a signer."""
    k = job.model_dump(mode="json", exclude={"id", "handler", "sig"}, exclude_none=True)
    if signer is not None:
        k["sig"] = signer.sign(job.id, job.handler, k)
    return dump({"t": None, "f": job.handler, "a": [], "k": k, "et": enqueued_ms})


def decode(job_id: str, body: bytes) -> Body:
    """The job in *body*.

    :raises NewerWire: its version is above ours; nothing else was looked at
    :raises ForeignJob: the function name has no ``#``
    :raises WireError: anything else that is no job of ours
    """
    outer = load(body)
    function, k = outer.get("f"), outer.get("k")
    if not isinstance(function, str) or not isinstance(k, dict):
        raise WireError("the body has no function name (f) or keyword arguments (k)")
    if "#" not in function:
        raise ForeignJob(f"function {function[:80]!r} is no <plugin>#<action> handler")
    version = k.get("v")
    if isinstance(version, int) and version > WIRE_VERSION:
        raise NewerWire(f"wire version {version}; this worker speaks {WIRE_VERSION}")
    try:
        job = ActionJob.model_validate({**k, "id": job_id, "handler": function})
    except ValidationError as error:
        raise WireError(_where(error)) from None
    return Body(job, k)


def dump(value: Any) -> bytes:
    """Compact JSON; refuses what JSON has no word for (NaN, bytes, lone surrogates)."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def load(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*.

    :raises WireError: a pickle, other bytes, or JSON that is no object
    """
    if body.startswith(_PICKLE):
        raise WireError("the body is a pickle, which is never loaded: use arq_serializer")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the body is no JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise WireError(f"the body is a JSON {type(value).__name__}, not an object")
    return value


def _where(error: ValidationError) -> str:
    found = [
        f"{'.'.join(str(part) for part in item['loc']) or 'k'}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return "; ".join(found[:5])
