"""A job's body: arq's JSON object with our keyword arguments in ``k``.

    {"t": null, "f": "github#sync", "a": [], "k": {"v": 1, ..., "sig": ...}, "et": 1767225600000}

``wire.schema.json`` beside this module describes it, ``vectors.json`` holds examples
with their ids and signatures for other languages. Never pickle.
"""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, cast

from pydantic import ValidationError

from imbi_sdk.queue.flaws import EVENT_DEPTH_LIMIT, find_flaw, is_deeper_than
from imbi_sdk.queue.job import WIRE_VERSION, ActionJob
from imbi_sdk.queue.signing import Signer

_PICKLE = b"\x80"
_DEPTH_LIMIT: Final = EVENT_DEPTH_LIMIT + 2  # an inline event lies in k, k in the body
_TOO_DEEP = f"the body nests deeper than {_DEPTH_LIMIT} levels: refuse such an event at the gateway"
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


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
            raise WireError(_TOO_DEEP)
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


def dump(value: Any) -> bytes:
    """Compact JSON; refuses what JSON has no word for (NaN, bytes, lone surrogates)."""
    return _ENCODER.encode(value).encode()


def load(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*, of which :func:`dump` can make the same JSON again.

    :raises WireError: a pickle, other bytes, too deep, or JSON that is no object
    """
    if body.startswith(_PICKLE):
        raise WireError("the body is a pickle, which is never loaded: use arq_serializer")
    try:
        value = _DECODER.decode(body.decode())
    except WireError:
        raise
    except RecursionError:
        raise WireError(_TOO_DEEP) from None
    except ValueError as error:
        raise WireError(f"the body is no JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise WireError(f"the body is a JSON {type(value).__name__}, not an object")
    content = cast("dict[str, Any]", value)
    _check(body, content)
    return content


def _check(body: bytes, value: dict[str, Any]) -> None:
    """Refuse what Python's parser takes and no one could sign or write again."""
    # Both are looked for in the bytes first: nearly no body has either.
    if body.count(b"{") + body.count(b"[") > _DEPTH_LIMIT and is_deeper_than(_DEPTH_LIMIT, value):
        raise WireError(_TOO_DEEP)
    if _SURROGATE_ESCAPE.search(body):
        flaw = find_flaw(value)  # a pair of escapes is one character and no flaw
        if flaw:
            raise WireError(f"the body's {flaw}")


def _refuse_constant(name: str) -> NoReturn:
    raise WireError(f"the body holds {name}, which JSON has no word for: write null")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise WireError("the body holds a number beyond a double's range: send it as a string")
    return number


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def where_invalid(error: ValidationError) -> str:
    """The fields of a job that were refused, at most five, and why; never their values."""
    found = [
        f"{'.'.join(str(part) for part in item['loc']) or 'k'}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return "; ".join(found[:5])
