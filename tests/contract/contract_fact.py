"""A line of the plugin contract: where it stands, what it says, how to see that it holds."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from pydantic import BaseModel, ValidationError

REQUIRED: Final = "required"


@dataclass(frozen=True)
class Fact:
    """*check* returns whether the fact holds, or an awaitable of that; it may raise instead."""

    section: str
    text: str
    check: Callable[..., Any]


def table(facts: Iterable[Fact]) -> list[Any]:
    """The facts as parameters of a test; no two may read alike."""
    rows = [pytest.param(fact, id=f"{fact.section} {fact.text}") for fact in facts]
    names = [row.id for row in rows]
    assert len(names) == len(set(names)), "a fact stands in the table twice"
    return rows


async def holds(fact: Fact, *given: Any) -> bool:
    answer = fact.check(*given)
    if inspect.isawaitable(answer):
        answer = await answer
    return answer is True


def model(section: str, cls: type[BaseModel], fields: Mapping[str, Any]) -> Iterator[Fact]:
    """A fact for each field, as its annotation or (annotation, default), and one for the rest."""
    for name, said in fields.items():
        annotation, default = said if isinstance(said, tuple) else (said, REQUIRED)
        yield Fact(
            section,
            f"{cls.__name__}.{name} is {default!r} by default"
            if default != REQUIRED
            else f"{cls.__name__}.{name} is required",
            lambda name=name, annotation=annotation, default=default: (
                _field(cls, name) == (annotation, default)
            ),
        )
    yield Fact(
        section,
        f"{cls.__name__} has no other fields",
        lambda: list(cls.model_fields) == list(fields) or _differ(cls.model_fields, fields),
    )


def _field(cls: type[BaseModel], name: str) -> tuple[Any, Any]:
    found = cls.model_fields[name]
    default = REQUIRED if found.is_required() else found.get_default(call_default_factory=True)
    return found.annotation, default


def _differ(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Order of fields is no part of the contract."""
    assert set(ours) == set(theirs)
    return True


def refuses(text: str, call: Callable[[], Any], error: type[Exception] = ValueError) -> bool:
    """Whether *call* raises *error* with *text* in its message."""
    with pytest.raises(error) as raised:
        call()
    assert text in str(raised.value)
    return True


def refuses_with(kind: str, call: Callable[[], Any]) -> bool:
    """Whether pydantic refuses, with an error of this type."""
    with pytest.raises(ValidationError) as raised:
        call()
    return kind in {item["type"] for item in raised.value.errors()}
