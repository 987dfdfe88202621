"""The dresses in which a secret value shows up in errors, logs and addresses."""

import base64
import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Final
from urllib.parse import quote, quote_plus

# Shorter values are words; a part of a value counts for one when it is long.
SHORTEST: Final = 6
LONG: Final = 16
# A literal within a literal, e.g. the repr of an error that quotes JSON.
_DEEPEST: Final = 2
_URL_SAFE: Final = str.maketrans("+/", "-_")


def dresses(value: str) -> frozenset[str]:
    """Every text by which *value*, or a long line of it, can be read."""
    lines = value.splitlines()
    long_lines = (line for line in lines if len(line) >= LONG) if len(lines) > 1 else ()
    found: set[str] = set()
    for plain in {value, value.strip(), *long_lines}:
        if len(plain) >= SHORTEST:
            raw = plain.encode(errors="surrogatepass")
            found |= {*_literals(plain), *_in_addresses(raw), *_base64(raw), raw.hex()}
    return frozenset(found)


def _literals(value: str) -> set[str]:
    """As it stands in JSON and in Python's own literals, and those in others."""
    found, latest = {value}, {value}
    for _ in range(_DEEPEST):
        latest = {literal for text in latest for literal in _quoted(text)} - found
        found |= latest
    return found


def _quoted(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]
    yield repr(text)[1:-1]
    if "'" in text:
        # As part of a text that has quotes of both kinds.
        yield repr(f'{text}"')[1:-2]
    yield repr(text.encode(errors="surrogatepass"))[2:-1]


def _in_addresses(raw: bytes) -> Iterator[str]:
    for encode in (partial(quote, safe=""), quote, quote_plus):
        encoded = encode(raw)
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)


def _base64(raw: bytes) -> Iterator[str]:
    """The characters that depend on *raw* alone, wherever it stands in the encoded bytes."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        inner = encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6].decode()
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.translate(_URL_SAFE)
