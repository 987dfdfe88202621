"""What JSON has no word for, and where in a value it stands."""

import math
from collections.abc import Iterator
from typing import Any, Final, cast

# Far above any webhook, far below where a parser of any language gives up.
EVENT_DEPTH_LIMIT: Final = 128

_POINTER_SHOWN = 200


def is_deeper_than(limit: int, value: Any) -> bool:
    """Whether objects and arrays nest more than *limit* levels; without recursion."""
    level = [value] if _is_container(value) else []
    for _ in range(limit):
        level = [
            child for container in level for _, child in _members(container) if _is_container(child)
        ]
        if not level:
            return False
    return bool(level)


def find_flaw(value: Any) -> str | None:
    """The JSON pointer of the first thing that is not JSON, and what it is; None without one."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        pointer, item = stack.pop()
        problem = _problem(item)
        if problem:
            return f"{_shown(pointer)} {problem}"
        children: list[tuple[str, Any]] = []
        for key, child in _members(item):
            problem = _key_problem(key)
            if problem:
                return f"{_shown(pointer)} has a key that {problem}"
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            children.append((f"{pointer}/{escaped}", child))
        stack.extend(reversed(children))
    return None


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def _members(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(cast("list[Any]", value))


def _problem(value: Any) -> str | None:
    if isinstance(value, str):
        return _text_problem(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "is NaN or infinite, which JSON has no word for: replace it with null"
    if isinstance(value, int):
        return _integer_problem(value)
    if value is None or isinstance(value, float) or _is_container(value):
        return None
    return f"is a {type(value).__name__}, not JSON: convert it before enqueueing"


def _key_problem(key: Any) -> str | None:
    if isinstance(key, str):
        return _text_problem(key)
    if key is None or isinstance(key, int | float):  # json.dumps writes these as text
        return None
    return f"is a {type(key).__name__}, not a string"


def _text_problem(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds a lone surrogate: replace it (imbi_sdk.event does)"
    return None


def _integer_problem(number: int) -> str | None:
    try:
        str(number)
    except ValueError:
        return "is an integer of thousands of digits: send it as a string"
    return None


def _shown(pointer: str) -> str:
    if len(pointer) > _POINTER_SHOWN:
        return f"{pointer[:_POINTER_SHOWN]}..."
    return pointer or "/"
