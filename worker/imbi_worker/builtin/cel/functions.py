"""The functions of expressions: `substring`, and cel-python's own where they need bounds."""

import operator
import re
from collections.abc import Callable
from typing import Any, Final

import re2  # type: ignore[import-untyped]  # cel-python's own engine, which has no types
from celpy import celtypes

from imbi_worker.builtin.cel.budget import Budget
from imbi_worker.builtin.cel.values import plain

_LONGEST_PATTERN: Final = 1024
_LONGEST_MOMENT: Final = 100
# cel-python's own pattern tries 2^n ways to read n letters.
_DURATION: Final = re.compile(r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)[a-z]{1,2})+")
_SIZED: Final = (str, bytes, list, dict)


class Functions:
    """The functions of one evaluation. cel-python asks operators for their ``__name__``."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def table(self) -> dict[str, Callable[..., Any]]:
        return {
            "substring": self.substring,
            "matches": self.matches,
            "type": self.type,
            "timestamp": self.timestamp,
            "duration": self.duration,
            "string": self.string,
            "bytes": self.bytes,
            "_+_": self.add,
            "_*_": self.multiply,
            "_%_": self.remainder,
        }

    def substring(self, text: Any, start: Any, end: Any = None) -> Any:
        """As in Imbi's gateway: Python's slice, so that a negative place counts from the end."""
        part = text[int(start) : None if end is None else int(end)]
        return self.string(part)

    def matches(self, text: Any, pattern: Any) -> Any:
        if len(pattern) > _LONGEST_PATTERN:
            raise ValueError(f"a pattern of more than {_LONGEST_PATTERN} characters")
        options = re2.Options()
        # It would write the pattern to stderr, past the redactor.
        options.log_errors = False
        try:
            return celtypes.BoolType(re2.search(pattern, text, options=options) is not None)
        except re2.error:
            raise ValueError("no regular expression") from None

    def type(self, value: Any) -> Any:
        return celtypes.TypeType(plain(value))

    def timestamp(self, *values: Any) -> Any:
        return celtypes.TimestampType(*_short(values))

    def duration(self, *values: Any) -> Any:
        if isinstance(values[0], str) and not _DURATION.fullmatch(values[0]):
            raise ValueError("no duration")
        return celtypes.DurationType(*_short(values))

    def string(self, value: Any) -> Any:
        if isinstance(value, list | dict):
            # Python would write them out, with all that they hold.
            raise TypeError("no such overload")
        self._budget.take(len(value) if isinstance(value, str | bytes) else 0)
        return celtypes.StringType(value)

    def bytes(self, value: Any) -> Any:
        self._budget.take(len(value))
        return celtypes.BytesType(value)

    def add(self, left: Any, right: Any) -> Any:
        if isinstance(left, _SIZED) and isinstance(right, _SIZED):
            self._budget.take(len(left) + len(right))
        return operator.add(left, right)

    def multiply(self, left: Any, right: Any) -> Any:
        _refuse_sized(left, right)
        return operator.mul(left, right)

    def remainder(self, left: Any, right: Any) -> Any:
        _refuse_sized(left, right)
        return operator.mod(left, right)


def _short(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(isinstance(value, str) and len(value) > _LONGEST_MOMENT for value in values):
        raise ValueError(f"a moment of more than {_LONGEST_MOMENT} characters")
    return values


def _refuse_sized(*values: Any) -> None:
    # Python multiplies texts, and formats them: "%1000000000d" % 1.
    if any(isinstance(value, _SIZED) for value in values):
        raise TypeError("no such overload")
