"""Keeping secrets out of every text that leaves an attempt.

Two nets: the secret values in use, in the encodings in which they show up in errors
(`dress`), and the shapes of well-known tokens.
"""

import re
import threading
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Final

from imbi_sdk.attempt.dress import LONG, SHORTEST, dresses
from imbi_sdk.event import whole

MASK: Final = "***"
_ERROR_LENGTH: Final = 2_000
_TRACE_LENGTH: Final = 8_192
_CUT: Final = "..."
# More than this many times the limit is not even looked at.
_LOOKED_AT: Final = 8
# Of values that nobody uses any more so many stay known.
_REMEMBERED: Final = 64

# "missing credentials:" is our own phrase, and a sentence follows.
_WORDS: Final = (
    r"(?i:authorization|(?<!missing\ )credential|signature|password|passwd|passphrase|secret"
    r"|token|pwd|(?:api|access|private|signing|encryption)[_-]?key)"
)
# No alternative of these begins with an unbounded repeat: a long text must not cost its square.
_PRIVATE_KEYS: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    r"(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)"
)
_TOKENS: Final = re.compile(
    r"""
      \bgithub_pat_\w{16,}
    | \bgh[a-z]_\w{16,}
    | \bglpat-[\w-]{16,}
    | \bsq[a-z]_[0-9a-f]{32,}
    | \bxox[a-z]-[\w-]{8,}
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}
    | \beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?
    | gAAAA[\w-]{20,}={0,2}
    """,
    re.VERBOSE,
)
_LOGINS: Final = re.compile(r"(?<=://)[^\s/?\#]*(?=@)")
_AFTER_WORDS: Final = re.compile(
    rf"""
      (?P<scheme>\b(?i:bearer|basic)\s{{1,4}})[\w.~+/=-]{{6,}}
    | (?P<pair>{_WORDS}[\w-]{{0,32}}\\?["']?\s{{0,4}}[=:]\s{{0,4}})
        (?:b?"[^"]*"|b?'[^']*'|\\"(?:(?!\\").)*\\"
          |(?:(?i:bearer|basic|token|digest)\s{{1,4}})?[^\s"'&,;<>()\[\]{{}}\\]+)
    | (?P<word>{_WORDS}[\w-]{{0,32}}\W{{1,4}})[0-9a-fA-F]{{16,}}
    """,
    re.VERBOSE,
)
# Without one of these a text has no such shape, and to look for them is fifty times faster.
_SIGNS_OF_TOKENS: Final = ("xox", "glpat-", "AKIA", "ASIA", "eyJ", "gAAAA")
_SIGNS_WITH_UNDERSCORE: Final = ("gh", "sq", "github")
_SIGNS_OF_WORDS: Final = (
    *("authorization", "credential", "signature", "passw", "passphrase", "secret", "token", "pwd"),
    *("bearer", "basic", "key"),
)
_TELLING: Final = re.compile(_WORDS)


def is_telling(name: str) -> bool:
    """Whether what stands below *name* is a secret: ``api_token``, ``X-Api-Key``."""
    return _TELLING.search(name) is not None


# Where a text is wrapped; the second is a line break in a repr. No alternative begins with
# an unbounded repeat.
_BREAK: Final = r"(?:\r?\n|(?:\\r)?\\n)[ \t]*"


class Redactor:
    """Knows which secret values are in use, and masks them and all token shapes.

    A value stays known for a while after its last use: what an action has left running, or
    a library that warns late, may still say it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: Counter[str] = Counter()
        # By value, every dress of it; of those no longer in use the oldest come first.
        self._dresses: dict[str, frozenset[str]] = {}
        self._needles: tuple[str, ...] | None = ()

    @contextmanager
    def using(self, values: Iterable[str]) -> Generator[None]:
        """Know *values* for the length of the block."""
        known = self.register(values)
        try:
            yield
        finally:
            self.release(known)

    def register(self, values: Iterable[str]) -> tuple[str, ...]:
        """Know *values* until they are released as often as registered.

        Values of fewer than six characters are not secrets but words; the rest is
        what to release.
        """
        known = tuple(value for value in values if len(value) >= SHORTEST)
        with self._lock:
            for value in known:
                if value not in self._dresses:
                    self._needles = None
                    self._dresses[value] = dresses(value)
                self._uses[value] += 1
        return known

    def release(self, values: Iterable[str]) -> None:
        """Values that nobody uses any more are known until so many others came after them."""
        with self._lock:
            for value in values:
                self._uses[value] -= 1
                if self._uses[value] <= 0:
                    del self._uses[value]
                    # To the end of the row: it was used last.
                    self._dresses[value] = self._dresses.pop(value)
            while len(self._dresses) - len(self._uses) > _REMEMBERED:
                oldest = next(value for value in self._dresses if value not in self._uses)
                del self._dresses[oldest]
                self._needles = None

    def text(self, text: str, *, limit: int = _ERROR_LENGTH) -> str:
        """*text* without secrets, at most *limit* characters of its beginning."""
        seen, is_cut = text[: limit * _LOOKED_AT], len(text) > limit * _LOOKED_AT
        masked = self._mask(seen)
        if is_cut:
            # A secret that the cut went through is no longer known as one.
            masked = masked[: -self._longest()]
        if len(masked) > limit or is_cut:
            return masked[: limit - len(_CUT)] + _CUT
        return masked

    def trace(self, text: str, *, limit: int = _TRACE_LENGTH) -> str:
        """*text* without secrets, at most *limit* characters of its end."""
        seen, is_cut = text[-limit * _LOOKED_AT :], len(text) > limit * _LOOKED_AT
        masked = self._mask(seen)
        if is_cut:
            masked = masked[self._longest() :]
        if len(masked) > limit or is_cut:
            return _CUT + masked[-(limit - len(_CUT)) :]
        return masked

    def _mask(self, text: str) -> str:
        # `in` before `replace`, value by value: with a few thousand needles this is many
        # times faster than one alternation of them all, and needs no compiling when an
        # attempt brings new ones.
        needles = self._known()
        for needle in needles:
            if needle in text:
                text = text.replace(needle, MASK)
        # No store behind us takes a lone surrogate, and an error may say anything.
        return whole(_mask_shapes(_mask_wrapped(text, needles)))

    def _known(self) -> tuple[str, ...]:
        needles = self._needles
        if needles is None:
            with self._lock:
                found = frozenset[str]().union(*self._dresses.values())
                # The longest first: a value must not lose its head to a shorter one.
                needles = tuple(sorted(found, key=len, reverse=True))
                self._needles = needles
        return needles

    def _longest(self) -> int:
        needles = self._known()
        return max(len(needles[0]) if needles else 0, _LONGEST_SHAPE)


def _mask_wrapped(text: str, needles: tuple[str, ...]) -> str:
    """*text* without the values that its line breaks go through, as base64 is wrapped."""
    together, breaks = re.subn(_BREAK, "", text) if needles else ("", 0)
    if not breaks:
        return text
    for needle in needles:
        if len(needle) < LONG:
            # The longest come first. Shorter ones can arise where two lines meet.
            break
        if needle in together:
            text = re.sub(f"(?:{_BREAK})?".join(map(re.escape, needle)), MASK, text)
    return text


_LONGEST_SHAPE: Final = 4_096


def _mask_shapes(text: str) -> str:
    if "-----BEGIN" in text:
        text = _PRIVATE_KEYS.sub(MASK, text)
    if _may_hold_tokens(text):
        text = _TOKENS.sub(MASK, text)
    if "://" in text and "@" in text:
        text = _LOGINS.sub(MASK, text)
    folded = text.casefold()
    if any(sign in folded for sign in _SIGNS_OF_WORDS):
        text = _AFTER_WORDS.sub(_after_word, text)
    return text


def _may_hold_tokens(text: str) -> bool:
    signs = _SIGNS_OF_TOKENS + (_SIGNS_WITH_UNDERSCORE if "_" in text else ())
    return any(sign in text for sign in signs)


def _after_word(match: re.Match[str]) -> str:
    return f"{match['scheme'] or match['pair'] or match['word']}{MASK}"
