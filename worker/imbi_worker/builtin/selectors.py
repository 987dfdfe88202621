"""What a rule's JSON pointers find in an event."""

from typing import Any

import jsonpointer

from imbi_sdk.errors import PermanentError
from imbi_sdk.json_pointer import JsonPointer


def value_at(event: dict[str, Any], pointer: JsonPointer, *, field: str) -> Any:
    """The value there. Raises `PermanentError`, which names *field* of the rule, for none."""
    try:
        value = pointer.resolve(event)
    except jsonpointer.JsonPointerException:
        pass
    else:
        # "-" names the element after the last one: a place to write, nothing to read.
        if not isinstance(value, jsonpointer.EndOfList):
            return value
    # Not chained to the library's error, whose text quotes the event.
    raise PermanentError(
        f"the event has nothing at {pointer.path!r} (the rule's {field!r})"
    ) from jsonpointer.JsonPointerException(f"{pointer.path!r} not found")


def text_at(event: dict[str, Any], pointer: JsonPointer, *, field: str) -> str | None:
    """The text or number there as text, None for a null.

    Raises `PermanentError` for anything else: what Python would make of it means
    nothing to Imbi.
    """
    value = value_at(event, pointer, field=field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PermanentError(
            f"the event has no text at {pointer.path!r} (the rule's {field!r}), "
            f"but a {type(value).__name__}"
        )
    return str(value)


def required_text_at(event: dict[str, Any], pointer: JsonPointer, *, field: str) -> str:
    """The same, and `PermanentError` for a null or an empty text as well."""
    text = text_at(event, pointer, field=field)
    if text:
        return text
    found = "null" if text is None else "an empty text"
    raise PermanentError(f"the event has {found} at {pointer.path!r} (the rule's {field!r})")
