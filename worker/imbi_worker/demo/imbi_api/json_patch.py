"""The part of JSON Patch (RFC 6902) that the stand-in API understands."""

import copy
from typing import Any, Final

import jsonpointer

_OPERATIONS: Final = frozenset({"add", "replace", "remove"})


class PatchRefused(Exception):  # noqa: N818 - a verdict on the request, not a fault of ours
    """The patch cannot be applied; the text says which operation and why."""


def patched(document: dict[str, Any], operations: Any) -> dict[str, Any]:
    """A copy of *document* with every operation applied, in order.

    Raises `PatchRefused` unless all of them fit.
    """
    if not isinstance(operations, list):
        raise PatchRefused("a JSON Patch is an array of operations")
    result = copy.deepcopy(document)
    for number, operation in enumerate(operations):
        try:
            _apply(result, operation)
        except (jsonpointer.JsonPointerException, KeyError, TypeError, IndexError) as error:
            raise PatchRefused(f"operation {number} cannot be applied: {error}") from error
    return result


def _apply(document: dict[str, Any], operation: dict[str, Any]) -> None:
    name = operation["op"]
    if name not in _OPERATIONS:
        raise PatchRefused(f"the stand-in knows no operation {name!r}")
    parent, key = jsonpointer.JsonPointer(operation["path"]).to_last(document)
    if key is None:
        raise PatchRefused("the whole project cannot be replaced")
    if name == "add":
        _add(parent, key, operation["value"])
    elif name == "replace":
        parent[key]
        parent[key] = operation["value"]
    else:
        del parent[key]


def _add(parent: Any, key: Any, value: Any) -> None:
    if not isinstance(parent, list):
        parent[key] = value
    elif key == "-":
        parent.append(value)
    elif key <= len(parent):
        parent.insert(key, value)
    else:
        raise IndexError(f"index {key} is beyond the end")
