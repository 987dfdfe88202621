"""Keeping secrets out of every text that leaves an attempt.

Two nets: the credential values in use, in the encodings in which they show up
in errors, and the shapes of well-known tokens.
"""

import base64
import json
import re
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
_ERROR_LENGTH: Final = 2_000
_TRACE_LENGTH: Final = 8_192
_SHORTEST: Final = 6
_SHORTEST_LINE: Final = 16
_CUT: Final = "..."
# More than this many times the limit is not even looked at.
_LOOKED_AT: Final = 8

_WORDS: Final = (
    r"(?i:authorization|credential|signature|password|passwd|passphrase|secret|token|pwd"
    r"|(?:api|access|private|signing|encryption)[_-]?key)"
)
# No alternative begins with an unbounded repeat: a long text must not cost its square.
_SHAPES: Final = re.compile(
    rf"""
      -----BEGIN\ [A-Z0-9\ ]{{0,40}}PRIVATE\ KEY-----
        (?s:.*?)(?:-----END\ [A-Z0-9\ ]{{0,40}}PRIVATE\ KEY-----|\Z)
    | \bgithub_pat_\w{{16,}}
    | \bgh[a-z]_\w{{16,}}
    | \bglpat-[\w-]{{16,}}
    | \bsq[a-z]_[0-9a-f]{{32,}}
    | \bxox[a-z]-[\w-]{{8,}}
    | \b(?:AKIA|ASIA)[0-9A-Z]{{16}}
    | \beyJ[\w-]{{6,}}\.[\w-]+(?:\.[\w-]*)?
    | gAAAA[\w-]{{20,}}={{0,2}}
    | (?<=://)[^\s/?\#]*@
    | (?P<scheme>\b(?i:bearer|basic)\s{{1,4}})[\w.~+/=-]{{6,}}
    | (?P<pair>{_WORDS}[\w-]{{0,32}}\\?["']?\s{{0,4}}[=:]\s{{0,4}})
        (?:b?"[^"]*"|b?'[^']*'|\\"(?:(?!\\").)*\\"
          |(?:(?i:bearer|basic|token|digest)\s{{1,4}})?[^\s"'&,;<>()\[\]{{}}\\]+)
    | (?P<word>{_WORDS}[\w-]{{0,32}}\W{{1,4}})[0-9a-fA-F]{{16,}}
    """,
    re.VERBOSE,
)


class Redactor:
    """Knows which credential values are in use, and masks them and all token shapes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: Counter[str] = Counter()
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
        known = tuple(value for value in values if len(value) >= _SHORTEST)
        with self._lock:
            for value in known:
                if not self._uses[value]:
                    self._needles = None
                self._uses[value] += 1
        return known

    def release(self, values: Iterable[str]) -> None:
        """Forget values that nobody else has registered."""
        with self._lock:
            for value in values:
                self._uses[value] -= 1
                if self._uses[value] <= 0:
                    del self._uses[value]
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
        for needle in self._known():
            if needle in text:
                text = text.replace(needle, MASK)
        return _SHAPES.sub(_masked, text)

    def _known(self) -> tuple[str, ...]:
        needles = self._needles
        if needles is None:
            with self._lock:
                found = {form for value in self._uses for form in _forms(value)}
                # The longest first: a value must not lose its head to a shorter one.
                needles = tuple(sorted(found, key=len, reverse=True))
                self._needles = needles
        return needles

    def _longest(self) -> int:
        needles = self._known()
        return max(len(needles[0]) if needles else 0, _LONGEST_SHAPE)


_LONGEST_SHAPE: Final = 4_096


def _masked(match: re.Match[str]) -> str:
    if match[0].endswith("@"):
        return f"{MASK}@"
    kept = match["scheme"] or match["pair"] or match["word"] or ""
    return kept + MASK


def _forms(value: str) -> Iterator[str]:
    """The ways in which *value* stands in errors, logs and addresses."""
    lines = value.splitlines()
    long_lines = (line for line in lines if len(line) >= _SHORTEST_LINE) if len(lines) > 1 else ()
    for plain in {value, value.strip(), *long_lines}:
        if len(plain) >= _SHORTEST:
            yield plain
            yield from _escaped(plain)
            yield from _base64(plain.encode(errors="surrogatepass"))


def _escaped(value: str) -> Iterator[str]:
    raw = value.encode(errors="surrogatepass")
    for encode in (partial(quote, safe=""), quote, quote_plus):
        encoded = encode(raw)
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1]
    yield repr(value)[1:-1]


def _base64(raw: bytes) -> Iterator[str]:
    """The characters that depend on *raw* alone, wherever it stands in the encoded bytes."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        inner = encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6].decode()
        if len(inner) >= _SHORTEST:
            yield inner
            yield inner.translate(_URL_SAFE)


_URL_SAFE: Final = str.maketrans("+/", "-_")
