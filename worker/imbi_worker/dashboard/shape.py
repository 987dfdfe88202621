"""The JSON Schema of an answer, from the type of the value; agrees with ``json_form.plain``.

pydantic would describe our dataclasses in its own form of moments and durations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from imbi_worker.operations.json_form import members

_PLAIN: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "number", "description": "Seconds."},
    Any: {},
}


class Shapes:
    """The schemas of all answers; dataclasses stand once in ``components``, under their names."""

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """:raises TypeError: values of this type are in no answer of ours."""
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"type": "string", "enum": [one.value for one in kind]}
        if is_dataclass(get_origin(kind) or kind):
            return self._reference(get_origin(kind) or kind, get_args(kind))
        return self._made_of(kind, get_origin(kind), get_args(kind))

    def _made_of(self, kind: Any, origin: Any, arguments: Sequence[Any]) -> dict[str, Any]:
        if origin in (Union, UnionType):
            return {"anyOf": [self.of(one) for one in arguments]}
        if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(arguments[0])}
        raise TypeError(f"{kind!r} has no schema here")

    def _reference(self, kind: Any, arguments: Sequence[Any]) -> dict[str, Any]:
        name = "".join(one.__name__ for one in (*arguments, kind))
        if name not in self.components:
            self.components[name] = {}
            filled = dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=True))
            self.components[name].update(self._object(kind, filled))
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: Any, filled: Mapping[TypeVar, Any]) -> dict[str, Any]:
        hints, names = get_type_hints(kind), members(kind)
        described: dict[str, Any] = {
            "type": "object",
            "properties": {
                shown: self.of(_filled(hints[name], filled)) for name, shown in names.items()
            },
            # All are always there; a default only saves the code some words.
            "required": [names[one.name] for one in fields(kind)],
            "additionalProperties": False,
        }
        text = (kind.__doc__ or "").strip()
        # A dataclass without a docstring is given its signature as one.
        if text and not text.startswith(f"{kind.__name__}("):
            described["description"] = " ".join(text.split())
        return described


def _filled(hint: Any, filled: Mapping[TypeVar, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return filled[hint]
    arguments = [one for one in get_args(hint) if isinstance(one, TypeVar)]
    return hint[tuple(filled[one] for one in arguments)] if arguments else hint
