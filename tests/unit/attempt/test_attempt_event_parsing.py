"""Events are read by pydantic-core; the standard library's parser says what they must come to."""

import json
import math
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from imbi_sdk.attempt import InvalidEvent, parse_event
from imbi_sdk.event import replace_lone_surrogates

TEXTS = st.text(st.characters())  # lone surrogates included
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)
EVENTS = st.dictionaries(TEXTS, VALUES, max_size=5)
PIECES = (
    *('{"a":', "{", "}", "[", "]", ",", ":", '"a"', '"b"', " ", "\n", "\x00", "\x0b", "\ufeff"),
    *("1", "01", "1.", ".5", "-", "-0", "+1", "1e5", "1e400", "9" * 30, "9" * 5_000),
    *("null", "nul", "true", "NaN", "Infinity", "-Infinity", "//", "'a'", "é"),
    *('"\\ud800"', '"\\ud83d\\ude00"', '"\\u12"', '"\\x"', '"\x01"', '"\x7f"'),
)


def _within_a_double(text: str) -> float:
    """Beyond it pydantic-core gives infinity or an error, by how the number is written."""
    number = float(text)
    assume(math.isfinite(number))
    return number


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def expected(data: bytes) -> str | None:
    """What the standard library makes of strict JSON in UTF-8; None of anything else."""
    try:
        value = json.loads(data.decode(), parse_constant=_refuse, parse_float=_within_a_double)
    except ValueError:
        return None
    return repr(replace_lone_surrogates(value)) if isinstance(value, dict) else None


async def found(data: bytes) -> str | None:
    try:
        # repr tells 1 from 1.0 and from True, 0.0 from -0.0, and has the order of keys.
        return repr(await parse_event(data))
    except InvalidEvent:
        return None


@given(EVENTS)
async def test_whatever_json_holds_is_read_as_the_standard_library_reads_it(
    event: dict[str, Any],
) -> None:
    """Integers of any size, floats to the last bit, escapes, surrogates, the order of keys."""
    data = json.dumps(event).encode()
    assert await found(data) == expected(data) is not None


@given(st.lists(st.sampled_from(PIECES), max_size=12))
async def test_what_is_nearly_json_is_refused_by_both_or_by_neither(pieces: list[str]) -> None:
    """Names that stand twice, numbers that are none, white space that is none."""
    data = f'{{"a":{"".join(pieces)}}}'.encode()
    assert await found(data) == expected(data)


@given(EVENTS, st.binary(max_size=3), st.integers(0, 200))
async def test_a_damaged_document_is_refused_by_both_or_by_neither(
    event: dict[str, Any], bytes_: bytes, at: int
) -> None:
    """Bytes that are no UTF-8 among them."""
    data = json.dumps(event, ensure_ascii=False).encode(errors="surrogatepass")
    damaged = data[:at] + bytes_ + data[at + 1 :]
    assert await found(damaged) == expected(damaged)


async def test_one_surrogate_makes_no_parser_lenient() -> None:
    """Only the standard library's reads a lone surrogate, and so it must refuse the same."""
    for rest in (b'"b": NaN', b'"b": "\xed\xa0\x80"', b'"b": "\xff"'):
        assert await found(b'{"a": "\\ud800", ' + rest + b"}") is None
