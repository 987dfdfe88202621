"""JSON as it stands in Redis: compact, strict, and never a pickle."""

import json
import math
import re
from typing import Any, Final, NoReturn, cast

from imbi_sdk.queue.errors import WireError
from imbi_sdk.queue.flaws import EVENT_DEPTH_LIMIT, find_flaw, is_deeper_than

_PICKLE = b"\x80"
_DEPTH_LIMIT: Final = EVENT_DEPTH_LIMIT + 2  # an inline event lies in k, k in the body
TOO_DEEP = f"the body nests deeper than {_DEPTH_LIMIT} levels: refuse such an event at the gateway"
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


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
        raise WireError(TOO_DEEP) from None
    except UnicodeDecodeError:
        raise WireError("the body is no JSON: it is no UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise WireError(f"the body is no JSON: it goes wrong at {place}") from None
    except ValueError:  # Python converts no more than 4,300 digits
        raise WireError(
            "the body holds an integer of thousands of digits: send it as a string"
        ) from None
    if not isinstance(value, dict):
        raise WireError(f"the body is a JSON {type(value).__name__}, not an object")
    content = cast("dict[str, Any]", value)
    _check(body, content)
    return content


def _check(body: bytes, value: dict[str, Any]) -> None:
    """Refuse what Python's parser takes and no one could sign or write again."""
    # Both are looked for in the bytes first: nearly no body has either.
    if body.count(b"{") + body.count(b"[") > _DEPTH_LIMIT and is_deeper_than(_DEPTH_LIMIT, value):
        raise WireError(TOO_DEEP)
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
