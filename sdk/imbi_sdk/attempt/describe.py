"""What may be said about an error: its type and message, never the values it was given.

The texts made here still have to pass the redactor, which knows the credentials
in use; this module keeps out what no redactor can know.
"""

import traceback
from collections.abc import Iterator
from typing import cast

from pydantic import ValidationError

_CHAIN = 5
_FRAMES = 16
_PROBLEMS = 10
_LEAVES = 100
_SHOWN = 64


def describe(error: BaseException) -> str:
    """``Type: message``, or only the type of an error without a message.

    Of a pydantic error: fields and kinds of problems, since its own text quotes
    the input.
    """
    name = type(error).__name__
    message = _message(error)
    return f"{name}: {message}" if message else name


def describe_trace(error: BaseException) -> str:
    """Where *error* and up to four errors behind it came from, oldest first."""
    parts: list[str] = []
    for link in _chain(error):
        frames = "".join(traceback.format_tb(link.__traceback__, limit=-_FRAMES))
        parts.append(f"{frames}{describe(link)}\n")
    return "\n".join(reversed(parts))


def leaves(error: BaseException) -> list[BaseException]:
    """The single errors in a group, or *error* itself; at most a hundred."""
    found: list[BaseException] = []
    pending = [error]
    while pending and len(found) < _LEAVES:
        item = pending.pop(0)
        if isinstance(item, BaseExceptionGroup):
            pending.extend(cast("BaseExceptionGroup[BaseException]", item).exceptions)
        else:
            found.append(item)
    return found


def _message(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        return _problems(error)
    if isinstance(error, BaseExceptionGroup):
        single = leaves(cast("BaseException", error))
        return f"{len(single)} errors, the first is {describe(single[0])}" if single else ""
    try:
        return str(error).strip()
    except Exception:  # noqa: BLE001 - a broken __str__ of a plugin must not hide the failure
        return "(its text cannot be shown: __str__ raised)"


def _problems(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{where(item['loc'])}: {item['type']}" for item in found[:_PROBLEMS]]
    if len(found) > _PROBLEMS:
        shown.append(f"and {len(found) - _PROBLEMS} more")
    return "; ".join(shown)


def where(location: tuple[int | str, ...]) -> str:
    """A pydantic location as text; a mapping's refused key is input and not shown."""
    parts = list(location)
    if parts and parts[-1] == "[key]":
        parts[-2:] = ["<key>"]
    return ".".join(str(part)[:_SHOWN] for part in parts) or "the whole"


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen and len(seen) < _CHAIN:
        seen.add(id(link))
        yield link
        hidden = link.__suppress_context__
        link = link.__cause__ or (None if hidden else link.__context__)
