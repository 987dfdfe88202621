"""Secrets to send through, one for each place, and a nose for them: whole, halved or in disguise.

A canary is two halves of letters and digits around what every encoding changes, so that
neither a cut through the middle nor a wrapped table hides one. The nose decodes what it
reads and knows nothing of the redactor's own idea of forms.
"""

import base64
import html
import re
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from urllib.parse import unquote

_ODD = '/+"\\ é&'
_HALF = 14
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){14,}")
_BREAKS = re.compile(r"\\[nrt]|[^\x21-\x7e]+|[|\"'\\,]+")


def _word() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_HALF))


def _odd() -> str:
    return f"{_word()}{_ODD}{_word()}"


def _plain() -> str:
    return _word() + _word()


def _lines() -> str:
    return "\n".join(_plain() + _plain() for _ in range(4))


@dataclass(frozen=True)
class Canaries:
    """Where each was put, and what it is."""

    token: str = field(default_factory=_odd)
    private_key: str = field(default_factory=_lines)
    client_secret: str = field(default_factory=_odd)
    encryption_key: str = field(
        default_factory=lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    )
    signing_key: str = field(default_factory=_plain)
    old_signing_key: str = field(default_factory=_plain)
    redis_password: str = field(default_factory=_plain)
    graph_password: str = field(default_factory=_plain)
    imbi_token: str = field(default_factory=_plain)
    header: str = field(default_factory=_odd)
    config: str = field(default_factory=_odd)
    payload: str = field(default_factory=_odd)

    def value(self, place: str) -> str:
        found = getattr(self, place)
        assert isinstance(found, str)
        return found

    def found_in(self, text: str | bytes) -> set[str]:
        """The places whose canary, or half of it, can be read out of *text*."""
        readings = list(
            _readings(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)
        )
        return {
            one.name
            for one in fields(self)
            for half in _halves(self.value(one.name))
            for reading in readings
            if half in reading
        }


def _halves(value: str) -> Iterator[str]:
    for line in value.splitlines():
        yield line[:_HALF]
        yield line.rstrip("=")[-_HALF:]


def _readings(text: str) -> Iterator[str]:
    yield text
    together = _BREAKS.sub("", html.unescape(text))
    yield together
    yield unquote(together)
    yield "\n".join(bytes.fromhex(run[0]).decode("latin-1") for run in _HEX.finditer(together))
    yield "\n".join(_decoded(run[0]) for run in _BASE64.finditer(together))


def _decoded(run: str) -> str:
    """All that *run* can mean as base64, wherever the encoded bytes began."""
    meanings = []
    for skipped in range(4):
        part = run[skipped:].replace("-", "+").replace("_", "/")
        whole = part[: len(part) // 4 * 4]
        meanings.append(base64.b64decode(whole).decode("latin-1"))
    return "\n".join(meanings)
