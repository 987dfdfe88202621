"""A new encryption key: every stored secret that is not under it yet is encrypted anew.

Each secret is one atomic step, and both keys are at hand all the time. So a run may end
anywhere, nothing becomes unreadable, and the next run does what is left: which key opens a
secret is all the memory there is.
"""

import base64
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from cryptography.fernet import InvalidToken, MultiFernet

# As a module: a host may have put another ``get_auth_settings`` there.
from imbi_sdk import settings
from imbi_sdk.encryption import get_fernet
from imbi_worker.graph import PLACES, Place, StoredSecret
from imbi_worker.operations.errors import Misconfigured, operation_errors

_PAGE: Final = 100
_WRITES: Final = 5

Opener: TypeAlias = Literal["current", "old"]
Verdict: TypeAlias = Literal["rotated", "already new", "unreadable", "removed", "contended"]
_FAILURES: Final[dict[Verdict, tuple[str, str]]] = {
    "unreadable": (
        "no key that was given opens it",
        "Add its key to IMBI_WORKER_OLD_ENCRYPTION_KEYS, or set the secret anew.",
    ),
    "removed": (
        "its node was removed meanwhile",
        "If it should be there, put it back in Imbi; else there is nothing to do.",
    ),
    "contended": (
        f"another writer was faster {_WRITES} times in a row",
        "Run this again when the other writer has ended.",
    ),
}


class Secrets(Protocol):
    """Where the secrets are; ``Neo4jSecrets`` of ``imbi_worker.graph``, and see there."""

    async def count(self) -> int: ...

    async def page(
        self, place: Place, *, after: str | None = None, limit: int
    ) -> Sequence[StoredSecret]: ...

    async def current(self, secret: StoredSecret) -> StoredSecret | None: ...

    async def replace(self, secret: StoredSecret, new: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A secret's plain text, and the key that opens it."""

    key: Opener
    text: str = field(repr=False)


class KeyRing:
    """The new key, and those that still open what has not been rotated.

    :raises Misconfigured: there is no usable key; says in which variable
    """

    def __init__(self, found: settings.AuthSettings) -> None:
        new = settings.AuthSettings(found.encryption_key)
        self._new = _fernets(new, settings.ENCRYPTION_KEY)
        self._all = _fernets(found, settings.OLD_ENCRYPTION_KEYS)

    def opened(self, ciphertext: str) -> Opened | None:
        """What a worker reads there, and by which key; None when no key opens it."""
        rings: tuple[tuple[Opener, MultiFernet], ...] = (("current", self._new), ("old", self._all))
        for key, ring in rings:
            for token in (ciphertext, _unwrapped(ciphertext)):
                with suppress(InvalidToken, ValueError):
                    return Opened(key, ring.decrypt(token.encode(errors="replace")).decode())
        return None

    def is_new(self, ciphertext: str) -> bool:
        """Whether the new key opens it as it stands."""
        try:
            self._new.decrypt(ciphertext.encode())
        except (InvalidToken, ValueError):
            return False
        return True

    def rotated(self, ciphertext: str) -> str | None:
        """The same secret under the new key, as old as it was; None when no key opens it."""
        raw = ciphertext.encode(errors="replace")
        try:
            return self._all.rotate(raw).decode("ascii")
        except (InvalidToken, ValueError):
            pass
        try:
            return self._all.rotate(_unwrapped(ciphertext).encode()).decode("ascii")
        except (InvalidToken, ValueError):
            return None


def _unwrapped(ciphertext: str) -> str:
    """Old releases of Imbi encoded their tokens once more; empty when it is none of those."""
    try:
        return base64.urlsafe_b64decode(ciphertext.encode(errors="replace")).decode("ascii")
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of one secret; *repeats* counts the times another writer was faster."""

    place: Place
    name: str
    verdict: Verdict
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A secret that is not under the new key, by its name."""

    place: Place
    name: str
    problem: str
    hint: str


@dataclass(frozen=True, slots=True)
class RotationReport:
    """A run in figures. *changed_meanwhile* had to be repeated, whatever came of it then."""

    is_dry: bool
    looked_at: int
    rotated: int
    already_new: int
    unreadable: int
    changed_meanwhile: int
    failures: tuple[Failure, ...]


@dataclass(slots=True)
class Tally:
    """Counts a run while it goes on."""

    is_dry: bool
    _verdicts: Counter[Verdict] = field(default_factory=Counter)
    _changed: int = 0
    _failures: list[Failure] = field(default_factory=list)

    def add(self, one: Rotated) -> None:
        self._verdicts[one.verdict] += 1
        self._changed += bool(one.repeats)
        if one.verdict in _FAILURES:
            self._failures.append(Failure(one.place, one.name, *_FAILURES[one.verdict]))

    def report(self) -> RotationReport:
        return RotationReport(
            is_dry=self.is_dry,
            looked_at=self._verdicts.total(),
            rotated=self._verdicts["rotated"],
            already_new=self._verdicts["already new"],
            unreadable=self._verdicts["unreadable"],
            changed_meanwhile=self._changed,
            failures=tuple(self._failures),
        )


def key_ring() -> KeyRing:
    """The keys that the environment gives.

    :raises Misconfigured: there is none for the new ones, or one cannot be used
    """
    with operation_errors():
        return KeyRing(settings.get_auth_settings())


async def count_secrets(secrets: Secrets) -> int:
    """How many secrets a run would look at."""
    with operation_errors():
        return await secrets.count()


async def rotate(
    secrets: Secrets, keys: KeyRing, *, is_dry: bool = False
) -> AsyncGenerator[Rotated, None]:
    """Go through all secrets and tell of each. In a dry run nothing is written.

    :raises Unavailable: the graph does not answer; what was told of before is done
    """
    with operation_errors():
        for place in PLACES:
            after: str | None = None
            while page := await secrets.page(place, after=after, limit=_PAGE):
                for secret in page:
                    yield await _rotate_one(secrets, keys, secret, is_dry=is_dry)
                after = page[-1].node


async def _rotate_one(
    secrets: Secrets, keys: KeyRing, secret: StoredSecret, *, is_dry: bool
) -> Rotated:
    place, name = secret.place, secret.name
    for repeats in range(_WRITES):
        verdict, new = _judge(keys, secret)
        if new is None or is_dry or await secrets.replace(secret, new):
            return Rotated(place, name, verdict, repeats)
        current = await secrets.current(secret)
        if current is None:
            return Rotated(place, name, "removed", repeats + 1)
        secret = current
    return Rotated(place, name, "contended", _WRITES)


def _judge(keys: KeyRing, secret: StoredSecret) -> tuple[Verdict, str | None]:
    """What is to be done with a secret, and what is to be written if anything."""
    text = secret.ciphertext
    if text is None:
        return "unreadable", None
    # A secret that somebody has removed meanwhile is under no old key any more.
    if not text or keys.is_new(text):
        return "already new", None
    new = keys.rotated(text)
    return ("unreadable" if new is None else "rotated"), new


def _fernets(keys: settings.AuthSettings, variable: str) -> MultiFernet:
    try:
        return get_fernet(keys)
    except (RuntimeError, ValueError) as error:
        hint = f"Look at {variable}: Fernet keys, as Imbi's other services have them."
        raise Misconfigured(f"{error}.", hint) from None
