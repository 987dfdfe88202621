"""What a rule's JSON pointers find in an event."""

from typing import Any

import jsonpointer

from imbi_sdk.errors import PermanentError
from imbi_sdk.json_pointer import JsonPointer


def value_at(event: dict[str, Any], pointer: JsonPointer, *, field: str) -> Any:
    """The value at *pointer*; *field* is what errors call the pointer: the rule's own word.

    :raises PermanentError: there is none
    """
    try:
        value = pointer.resolve(event)
    except jsonpointer.JsonPointerException:
        pass
    else:
        # "-" names the element after the last one: a place to write, nothing to read.
        if not isinstance(value, jsonpointer.EndOfList):
            return value
    # Out here, with no context: the text of the library's error quotes the event.
    raise PermanentError(f"the event has nothing at {pointer.path!r} (the rule's {field!r})")


def text_at(event: dict[str, Any], pointer: JsonPointer, *, field: str) -> str | None:
    """The text or number at *pointer* as text, None for a null.

    :raises PermanentError: anything else; what Python would make of it means nothing to Imbi
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
    """As `text_at`, where there must be a text.

    :raises PermanentError: a null or an empty text, too
    """
    text = text_at(event, pointer, field=field)
    if text:
        return text
    found = "null" if text is None else "an empty text"
    raise PermanentError(f"the event has {found} at {pointer.path!r} (the rule's {field!r})")
