"""Durations as an operator writes them."""

import re
from datetime import timedelta

from imbi_worker.operations.errors import InvalidInput

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def parse(text: str) -> timedelta:
    """A duration such as ``30s``, ``5m``, ``1h`` or ``2d``; without a unit, seconds.

    :raises InvalidInput: it is none
    """
    match = _DURATION.fullmatch(text.strip())
    hint = "Write 30s, 5m, 1h or 2d."
    if match is None:
        raise InvalidInput(f"{text!r} is no duration.", hint)
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2] or "s"])
    except OverflowError:
        raise InvalidInput(f"{text!r} is longer than anything lasts.", hint) from None
