"""A line of an export: a dead letter to be read, and sealed within it what an import needs.

What is to be read is redacted. The body and the event, whose signature and digest an import
checks, must stay as they were sent, secrets and all: they stand in ``sealed``, encrypted under
the key of Imbi's stored credentials. A line holds all that its letter needs, so a part of a file
can be imported as well as the whole.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.fernet import InvalidToken, MultiFernet

from imbi_sdk.attempt import Redactor
from imbi_sdk.encryption import get_fernet
from imbi_sdk.queue import ForeignJob, NewerWire, Signer, WireError
from imbi_sdk.queue.signing import event_digest
from imbi_sdk.queue.wire import decode
from imbi_worker.operations.errors import Misconfigured, operation_errors
from imbi_worker.operations.json_form import plain
from imbi_worker.operations.reports import report
from imbi_worker.queue.imports import ATTEMPT, FACTS, Letter
from imbi_worker.queue.inspection.letters import WholeLetter
from imbi_worker.queue.inspection.views import StoredJob

FORM: Final = 1
_LARGEST: Final = 128 * 1024 * 1024
_SEALED: Final = "sealed"


class LineError(ValueError):
    """A line that cannot be imported; *job* is the id that it tells, if any."""

    def __init__(self, text: str, job: str = "") -> None:
        super().__init__(text)
        self.job = job


class Seal:
    """Closes and opens what nobody but this installation may read."""

    def __init__(self, fernet: MultiFernet) -> None:
        self._fernet = fernet

    @classmethod
    def of_environment(cls) -> "Seal":
        """:raises Misconfigured: there is no key, or one that cannot be used"""
        hint = "Set IMBI_AUTH_ENCRYPTION_KEY, the Fernet key of Imbi's other services."
        try:
            with operation_errors():
                return cls(get_fernet())
        except (RuntimeError, ValueError) as error:
            raise Misconfigured(f"{error}.", hint) from None

    def close(self, value: Mapping[str, Any]) -> str:
        packed = zlib.compress(json.dumps(value).encode())
        return self._fernet.encrypt(packed).decode("ascii")

    def open(self, token: str) -> dict[str, Any]:
        """:raises ValueError: no key of ours has closed it"""
        try:
            packed = self._fernet.decrypt(token.encode(errors="replace"))
        except InvalidToken:
            raise ValueError("no key of ours opens it") from None
        found: dict[str, Any] = json.loads(zlib.decompressobj().decompress(packed, _LARGEST))
        return found


@dataclass(frozen=True, slots=True)
class Keys:
    """What an import checks with. Without *signer* only unsigned jobs can be accepted."""

    seal: Seal = field(repr=False)
    signer: Signer | None = field(repr=False)
    accepts_unsigned: bool


def write_line(
    letter: WholeLetter, redactor: Redactor, *, seal: Seal | None, with_event: bool
) -> dict[str, Any]:
    """*letter* as a JSON object; without *seal* it can be read and not imported."""
    view = letter.view
    stored = StoredJob(view, letter.attempts, letter.body, letter.event, later_ran=False)
    told = report(stored, redactor, with_event=with_event)
    line: dict[str, Any] = {
        "dead_letter": FORM,
        "id": view.id,
        "handler": view.handler,
        "project": view.project,
        "plugin_id": view.plugin_id,
        "delivery": view.delivery,
        "lane": view.lane,
        "reason": view.reason,
        "error": view.error,
        "enqueued": plain(view.enqueued),
        "died": plain(view.ended),
        "run": view.run,
        "attempts": plain(told.attempts),
        "context": told.context,
        "config": told.config,
    }
    if with_event:
        line["event"] = told.event
    if seal is not None:
        line[_SEALED] = seal.close({"told": _digest(line), **_whole(letter)})
    return line


def read_line(text: str | bytes, keys: Keys) -> Letter:
    """The letter in a line of an export.

    :raises LineError: it is none, was changed since, or is not signed with a key of ours
    """
    line = _parsed(text)
    job = line["id"]
    token = line.pop(_SEALED, None)
    if not isinstance(token, str):
        raise LineError("it was exported for reading: it has no sealed part", job)
    try:
        whole = keys.seal.open(token)
    except (ValueError, zlib.error):
        hint = "give the encryption key it was exported under, as an old key if need be"
        raise LineError(f"no key of ours opens its sealed part: {hint}", job) from None
    if whole.get("told") != _digest(line):
        hint = "export it again; a config is corrected with `dead replay --config`"
        raise LineError(f"it was changed after it was exported: {hint}", job)
    return _letter(job, whole, keys)


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        raise LineError("it is no JSON: cut off, or no export of ours") from None
    if not isinstance(line, dict) or not isinstance(line.get("id"), str):
        raise LineError("it is no dead letter of an export")
    form = line.get("dead_letter")
    if form != FORM:
        raise LineError(f"its form is {form!r}, and this program reads form {FORM}", line["id"])
    return line


def _whole(letter: WholeLetter) -> dict[str, Any]:
    names = [name for name in letter.facts if name in FACTS or name.startswith(ATTEMPT)]
    return {
        "digest": letter.digest,
        "facts": {name: letter.facts[name] for name in names},
        "run": letter.view.run,
        "body": _as_text(letter.body),
        "event": None if letter.event is None else _as_text(letter.event),
    }


def _letter(job: str, whole: Mapping[str, Any], keys: Keys) -> Letter:
    body = _as_bytes(whole["body"])
    event = b"" if whole["event"] is None else _as_bytes(whole["event"])
    try:
        decoded = decode(job, body)
    except (NewerWire, ForeignJob, WireError) as error:
        raise LineError(f"its body cannot be read: {error}", job) from None
    told = decoded.job
    is_vouched_for = (
        keys.accepts_unsigned
        if told.sig is None
        else keys.signer is not None and decoded.is_signed_by(keys.signer)
    )
    if not is_vouched_for:
        hint = "give the IMBI_WORKER_SIGNING_KEY of its gateway"
        raise LineError(f"its body is not signed with a key of ours: {hint}", job)
    if told.event_ref is not None and event and event_digest(event) != told.event_ref:
        raise LineError("its event is not the one that was signed", job)
    signed = {
        "handler": told.handler,
        "plugin": told.plugin_id or "",
        "project": told.context.project_id,
        "ordinal": str(told.rule.ordinal),
        "v": str(told.v),
    }
    return Letter(
        id=job,
        delivery=told.delivery,
        digest=told.event_ref or "",
        event=event if told.event_ref is not None else b"",
        body=body,
        run=whole["run"],
        facts={**whole["facts"], **signed},
    )


def _digest(line: Mapping[str, Any]) -> str:
    """Of what a line tells, however a tool between has ordered and spaced it."""
    return hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()


def _as_text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def _as_bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
