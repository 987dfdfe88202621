"""What an action asks of CEL: the text that an expression gives for an event."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from celpy import celtypes

from imbi_sdk.errors import ConfigurationError, PermanentError
from imbi_worker.builtin.cel.budget import OutOfTime, TooCostly
from imbi_worker.builtin.cel.program import CelError, Program

LONGEST_RESULT: Final = 4096
# What may be spent in the event loop; whoever needs more starts again in a thread.
_AT_ONCE_SECONDS: Final = 0.005
_CACHED_CHARACTERS: Final = 128 * 1024


class Programs:
    """Compiled expressions by their text; those used last are kept, up to *characters*."""

    def __init__(self, characters: int = _CACHED_CHARACTERS) -> None:
        self._characters = characters
        self._size = 0
        self._known: OrderedDict[str, Program] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    async def find(self, source: str) -> Program:
        """The program of *source*, compiled in a thread if it is new.

        :raises CelError: it cannot be compiled
        """
        program = self._known.get(source)
        if program is None:
            program = await asyncio.to_thread(Program, source)
        # Somebody else may have compiled it meanwhile.
        if source not in self._known:
            self._size += len(source)
            self._known[source] = program
        self._known.move_to_end(source)
        while self._size > self._characters:
            self._size -= len(self._known.popitem(last=False)[0])
        return program


# As with the sessions: actions are plain functions, which can be given nothing.
_PROGRAMS: Final = Programs()


async def evaluate(source: str, event: Mapping[str, Any], *, field: str) -> str | None:
    """The text or number that the rule's expression gives for *event*; None if it gives null.

    *field* is what errors call the expression: the field of the rule's config.

    :raises ConfigurationError: the expression is no CEL or exceeds its bounds
    :raises PermanentError: it cannot be evaluated on this event
    """
    try:
        program = await _PROGRAMS.find(source)
    except CelError as error:
        raise ConfigurationError(f"the rule's {field} cannot be used: {error}") from None
    try:
        return _text(await _value(program, event))
    except TooCostly as error:
        raise ConfigurationError(f"the rule's {field} is too costly: {error}") from None
    except CelError as error:
        raise PermanentError(f"the rule's {field} fails on this event: {error}") from None


async def _value(program: Program, event: Mapping[str, Any]) -> Any:
    try:
        return program.evaluate(event, seconds=_AT_ONCE_SECONDS)
    except OutOfTime:
        return await asyncio.to_thread(program.evaluate, event)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    is_number = isinstance(value, celtypes.IntType | celtypes.UintType | celtypes.DoubleType)
    if not (isinstance(value, str) or is_number):
        raise CelError(f"it gives a {_kind(value)} where a text or a number is needed")
    text = str(value)
    if not text:
        raise CelError("it gives an empty text")
    if len(text) > LONGEST_RESULT:
        raise CelError(f"it gives a text of more than {LONGEST_RESULT} characters")
    return text


def _kind(value: Any) -> str:
    return type(value).__name__.removesuffix("Type").removeprefix("Event").lower()
