"""Who asks: bearer tokens, of which only hashes are kept, each with a name and a role.

A token is 32 random bytes, so that a plain SHA-256 of it cannot be searched. A kept
token reads ``name:role:hash``. No cookie is ever set: a browser sends nothing by itself
to the API, so no foreign page can act in somebody's name.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

_KEPT: Final = re.compile(r"([A-Za-z0-9][\w.@-]{0,63}):(viewer|operator|admin):([0-9a-f]{64})")
_PREFIX: Final = "imbi_"
_BYTES: Final = 32


class InvalidToken(ValueError):  # noqa: N818 - reads as what it is at the call
    """A kept token that cannot be read; says which one, never what it holds."""


class Role(StrEnum):
    """What somebody may do; each role may do what the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks."""

    name: str
    role: Role

    @property
    def actor(self) -> str:
        """How the audit calls them."""
        return f"{self.name}@dashboard"


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token as it is kept."""

    person: Person
    digest: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """:raises InvalidToken: it is not ``name:role:hash``."""
        match = _KEPT.fullmatch(text)
        if match is None:
            raise InvalidToken("write name:role:hash, as `imbi-worker tokens new` prints it")
        return cls(Person(match[1], Role(match[2])), match[3])

    def __str__(self) -> str:
        return f"{self.person.name}:{self.person.role}:{self.digest}"


def make_token(name: str, role: Role) -> tuple[str, KeptToken]:
    """A new token, and what to keep of it.

    :raises InvalidToken: no token can have this name
    """
    token = f"{_PREFIX}{secrets.token_urlsafe(_BYTES)}"
    return token, KeptToken.parse(f"{name}:{role}:{_digest(token)}")


# Whoever reaches a loopback address sits at this machine; looking is all they may do.
_LOCAL: Final = Person("local", Role.VIEWER)


class Access:
    """Tells who asks, by the header ``Authorization``."""

    def __init__(self, kept: Iterable[KeptToken] = ()) -> None:
        self._kept = tuple(kept)
        names = [one.person.name for one in self._kept]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidToken(f"the name {twice[0]} is given twice: audit would mix them up")

    @property
    def is_open(self) -> bool:
        """Whether there is no token, so that everybody who gets here may look."""
        return not self._kept

    def person(self, authorization: str | None, *, from_browser: bool = False) -> Person | None:
        """Who it is; None for a stranger.

        A browser asks for name and password by itself (Basic), and the token is the
        password. It would send that along with requests of foreign pages, too: accept
        it for what changes nothing.
        """
        if self.is_open:
            return _LOCAL
        scheme, _, given = (authorization or "").strip().partition(" ")
        if scheme.casefold() == "bearer":
            return self._owner(given.strip())
        if scheme.casefold() == "basic" and from_browser:
            return self._owner(_password(given.strip()))
        return None

    def _owner(self, token: str) -> Person | None:
        """Every kept token is compared, so that time tells nothing of their number or place."""
        digest = _digest(token)
        owner: Person | None = None
        for one in self._kept:
            if hmac.compare_digest(one.digest, digest):
                owner = one.person
        return owner


def _password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def kept_tokens(text: str) -> tuple[KeptToken, ...]:
    """Tokens as a setting holds them, separated by commas.

    :raises InvalidToken: naming the place of the one that cannot be read
    """
    found: list[KeptToken] = []
    for nth, part in enumerate([one.strip() for one in text.split(",") if one.strip()], 1):
        try:
            found.append(KeptToken.parse(part))
        except InvalidToken as error:
            raise InvalidToken(f"number {nth}: {error}") from None
    return tuple(found)
