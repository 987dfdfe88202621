"""A job's body: arq's JSON object with our keyword arguments in ``k``.

    {"t": null, "f": "github#sync", "a": [], "k": {"v": 1, ..., "sig": ...}, "et": 1767225600000}

``wire.schema.json`` beside this module describes it, ``vectors.json`` holds examples
with their ids and signatures for other languages. Never pickle.
"""

from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import ValidationError

from imbi_sdk.queue.errors import ForeignJob, NewerWire, WireError
from imbi_sdk.queue.flaws import EVENT_DEPTH_LIMIT, find_flaw, is_deeper_than
from imbi_sdk.queue.job import WIRE_VERSION, ActionJob
from imbi_sdk.queue.json_text import TOO_DEEP, dump, load
from imbi_sdk.queue.signing import Signer


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body: the job and the parts that were signed."""

    job: ActionJob
    k: dict[str, Any] = field(repr=False)

    def is_signed_by(self, signer: Signer) -> bool:
        return signer.is_valid(self.job.id, self.job.handler, self.k)


def encode(job: ActionJob, *, signer: Signer | None, enqueued_ms: int) -> bytes:
    """The body of *job*, signed when there is a signer.

    :raises WireError: a value of the job is not JSON; names the place
    """
    k = job.model_dump(exclude={"id", "handler", "sig", "event"}, exclude_none=True)
    if job.event is not None:
        k["event"] = job.event  # as it is: pydantic would turn NaN into null, bytes into text
        if is_deeper_than(EVENT_DEPTH_LIMIT, job.event):
            raise WireError(TOO_DEEP)
    try:
        if signer is not None:
            k["sig"] = signer.sign(job.id, job.handler, k)
        return dump({"t": None, "f": job.handler, "a": [], "k": k, "et": enqueued_ms})
    except (ValueError, TypeError) as error:
        flaw = find_flaw(k) or f"text is not JSON: {type(error).__name__}"
        raise WireError(f"the job's {flaw}") from None


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
    k = cast("dict[str, Any]", k)
    version = k.get("v")
    if isinstance(version, int) and version > WIRE_VERSION:
        raise NewerWire(f"wire version {version}; this worker speaks {WIRE_VERSION}")
    try:
        job = ActionJob.model_validate({**k, "id": job_id, "handler": function})
    except ValidationError as error:
        raise WireError(where_invalid(error)) from None
    return Body(job, k)


def where_invalid(error: ValidationError) -> str:
    """The fields of a job that were refused, at most five, and why; never their values."""
    found = [
        f"{'.'.join(str(part) for part in item['loc']) or 'k'}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return "; ".join(found[:5])
