"""The event as CEL sees it: wrapped where an expression looks, and nowhere else.

cel-python's own conversion copies the whole document first. That takes seconds for an
SBoM of 20 MB, of which an expression reads one field.
"""

from collections.abc import Iterator
from typing import Any

from celpy import celtypes

from imbi_worker.builtin.cel.budget import Budget


def wrapped(value: Any, budget: Budget) -> Any:
    """A JSON value as a value of CEL; what it contains is wrapped when it is read."""
    budget.spend()
    if isinstance(value, str):
        budget.take(len(value))
        return celtypes.StringType(value)
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    if isinstance(value, int):
        return celtypes.IntType(value)
    if isinstance(value, float):
        return celtypes.DoubleType(value)
    if isinstance(value, dict):
        return EventMap(value, budget)
    return EventList(value, budget) if isinstance(value, list) else value


class EventMap(celtypes.MapType):
    """An object of the event. Its keys are plain, its values wrapped at the first look."""

    def __init__(self, members: dict[str, Any], budget: Budget) -> None:
        super().__init__()
        budget.take(len(members))
        dict.update(self, members)
        self._budget = budget
        self._wrapped: set[Any] = set()

    def __repr__(self) -> str:
        # Stands in texts of cel-python's errors: nothing of the event may.
        return "an object of the event"

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        if key not in self._wrapped:
            value = wrapped(value, self._budget)
            dict.__setitem__(self, key, value)
            self._wrapped.add(key)
        return value

    def get(self, key: Any, default: Any = None) -> Any:
        # As cel-python's own does: ``payload.gone`` must fail, and None is a value.
        return self[key] if key in self or default is None else default

    def __iter__(self) -> Iterator[Any]:
        return (wrapped(key, self._budget) for key in dict.__iter__(self))


class EventList(celtypes.ListType):
    """An array of the event."""

    def __init__(self, elements: list[Any], budget: Budget) -> None:
        budget.take(len(elements))
        super().__init__(elements)
        self._budget = budget

    def __repr__(self) -> str:
        return "an array of the event"

    def __getitem__(self, index: Any) -> Any:
        return wrapped(super().__getitem__(index), self._budget)

    def __iter__(self) -> Iterator[Any]:
        return (wrapped(element, self._budget) for element in list.__iter__(self))

    def __contains__(self, item: object) -> bool:
        return any(element == item for element in self)

    def __add__(self, other: Any) -> Any:
        return celtypes.ListType([*self, *other])

    def __radd__(self, other: Any) -> Any:
        return celtypes.ListType([*other, *self])


def plain(value: Any) -> Any:
    """An empty value of cel-python's own type in place of one of ours."""
    if isinstance(value, EventMap):
        return celtypes.MapType()
    return celtypes.ListType() if isinstance(value, EventList) else value
