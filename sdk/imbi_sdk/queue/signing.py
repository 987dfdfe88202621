"""Who may enqueue: a signature over everything an attempt will believe.

Write access to Redis must not be enough to have a stored credential sent to an
address of one's choice, so a job is signed by the gateway and checked before
anything else is done with it.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from imbi_sdk.queue.errors import SigningKeyError

_CONTEXT = b"imbi-job-v1"
# json.dumps would build one for each call.
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
SHORTEST_KEY = 16


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no white space and UTF-8: the form that is signed."""
    return _CANONICAL.encode(value).encode()


def event_digest(event: bytes) -> str:
    """SHA-256 of an event's stored bytes, hexadecimal."""
    return hashlib.sha256(event).hexdigest()


class Signer:
    """HMAC-SHA256 with one key to sign and any number to verify, for rotation.

    The signed text is ``imbi-job-v1``, the job id, the arq function name and the
    canonical form of ``k`` without ``sig`` and with ``event`` replaced by its
    digest (of its canonical form), each on a line of its own.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        if not keys:
            raise SigningKeyError("no signing key: set IMBI_WORKER_SIGNING_KEY")
        for number, key in enumerate(keys, 1):
            if len(key.get_secret_value()) < SHORTEST_KEY:
                raise SigningKeyError(
                    f"signing key number {number} in IMBI_WORKER_SIGNING_KEY is shorter than"
                    f" {SHORTEST_KEY} characters: use e.g. the output of `openssl rand -hex 32`"
                )
        self._keys = tuple(key.get_secret_value().encode() for key in keys)

    def __repr__(self) -> str:
        return f"Signer({len(self._keys)} keys)"

    def sign(self, job_id: str, function: str, k: Mapping[str, Any]) -> str:
        """The signature of a job's ``k``, hexadecimal."""
        return self._mac(self._keys[0], signed_text(job_id, function, k))

    def is_valid(self, job_id: str, function: str, k: Mapping[str, Any]) -> bool:
        """Whether ``k["sig"]`` was made with one of the keys; constant-time, never an error."""
        signature = k.get("sig")
        if not isinstance(signature, str) or not signature.isascii():
            return False
        try:
            text = signed_text(job_id, function, k)
        except (ValueError, TypeError, RecursionError):
            return False  # what has no canonical form was never signed
        matches = [hmac.compare_digest(self._mac(key, text), signature) for key in self._keys]
        return any(matches)

    @staticmethod
    def _mac(key: bytes, text: bytes) -> str:
        return hmac.digest(key, text, "sha256").hex()


def signed_text(job_id: str, function: str, k: Mapping[str, Any]) -> bytes:
    """The text a signature is made over; ``docs/wire.md`` builds it step by step."""
    signed = {name: value for name, value in k.items() if name != "sig"}
    if signed.get("event") is not None:
        signed["event"] = event_digest(canonical(signed["event"]))
    return b"\n".join((_CONTEXT, job_id.encode(), function.encode(), canonical(signed)))
