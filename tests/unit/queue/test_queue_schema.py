"""The schema says what the models accept: no more, no less."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from queue_factory import HANDLER, JOB_ID, a_body, a_k, as_bytes

from imbi_sdk.queue import ActionJob, JobContext, RuleOnWire, WireError, schema, vectors
from imbi_sdk.queue.wire import decode, encode

JUNK: tuple[Any, ...] = (
    *(..., None, True, False, 0, 1, 2, -1, 1.5, "", "x", "1", "{}", "é", "a#b\n", "A#b"),
    *([], [1], {}, {"a": {}}, "0" * 64, "0" * 64 + "\n", "0" * 63, "0" * 65, "F" * 64, "x" * 300),
)
PLACES = (
    *((name,) for name in (*a_k(), "event", "sig", "extra")),
    *(("context", name) for name in JobContext.model_fields),
    *(("rule", name) for name in RuleOnWire.model_fields),
)


def is_in_schema(body: Any) -> bool:
    return Draft202012Validator(schema()).is_valid(body)


def is_decoded(body: Any) -> bool:
    try:
        decode(JOB_ID, as_bytes(body))
    except WireError:
        return False
    return True


def changed(body: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    """*body* with one member of ``k`` replaced; the function name follows the rule's handler."""
    body = copy.deepcopy(body)
    *path, name = place
    target = body["k"]
    for step in path:
        target = target.get(step)
        if not isinstance(target, dict):
            return body
    if value is ...:
        target.pop(name, None)
    else:
        target[name] = value
    if place == ("rule", "handler") and isinstance(value, str):
        body["f"] = value
    return body


def starting_points() -> Iterator[dict[str, Any]]:
    yield a_body()
    yield a_body(event_ref=..., delivery=..., event={"type": "push"})


def test_the_schema_is_a_schema() -> None:
    """Draft 2020-12, as its first line says."""
    assert schema()["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_schema_and_models_agree_on_every_value_of(place: tuple[str, ...]) -> None:
    """Any one member replaced by anything: both accept, or both refuse."""
    for start in starting_points():
        for junk in JUNK:
            body = changed(start, place, junk)
            assert is_in_schema(body) == is_decoded(body), (place, junk)


@settings(deadline=None)
@given(
    start=st.sampled_from(list(starting_points())),
    changes=st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from([*JUNK, HANDLER, "d-1"])), max_size=4
    ),
)
def test_schema_and_models_agree_on_combinations(
    start: dict[str, Any], changes: list[tuple[tuple[str, ...], Any]]
) -> None:
    """Several members replaced at once; ``f`` and the rule's handler kept equal."""
    body = start
    for place, junk in changes:
        body = changed(body, place, junk)
    rule = body["k"].get("rule")
    if isinstance(rule, dict) and isinstance(rule.get("handler"), str):
        body["f"] = rule["handler"]
    assert is_in_schema(body) == is_decoded(body)


@pytest.mark.parametrize(
    ("definition", "model"),
    [("job", ActionJob), ("context", JobContext), ("rule", RuleOnWire)],
)
def test_schema_and_model_name_the_same_members(
    definition: str, model: type[ActionJob | JobContext | RuleOnWire]
) -> None:
    """Names, which of them are required, and the defaults of the others."""
    described = schema()["$defs"][definition]
    fields = {
        name: field
        for name, field in model.model_fields.items()
        if model is not ActionJob or name not in {"id", "handler"}  # outside k
    }
    required = {name for name, field in fields.items() if field.is_required()}
    defaults = {name: field.default for name, field in fields.items() if name not in required}
    assert set(described["properties"]) == set(fields)
    assert set(described["required"]) == required
    assert {
        name: member["default"]
        for name, member in described["properties"].items()
        if "default" in member
    } == defaults


@pytest.mark.parametrize("vector", vectors()["jobs"], ids=lambda vector: vector["name"])
def test_the_body_of_every_vector_is_in_the_schema(vector: dict[str, Any]) -> None:
    """What the vectors show is what the schema describes."""
    assert is_in_schema(json.loads(vector["body"]))


def test_what_the_producer_writes_is_in_the_schema() -> None:
    """Envelope included."""
    job = decode(JOB_ID, as_bytes(a_body())).job
    assert is_in_schema(json.loads(encode(job, signer=None, enqueued_ms=1)))


@pytest.mark.parametrize("member", ["t", "f", "a", "k", "et"])
def test_every_member_of_the_envelope_is_required(member: str) -> None:
    """A worker reads f and k only, but arq's own readers need all five."""
    body = a_body()
    del body[member]
    assert not is_in_schema(body)
    assert is_decoded(body) == (member not in {"f", "k"})


@pytest.mark.parametrize("changes", [{"a": [1]}, {"t": 1}, {"et": "now"}, {"et": None}])
def test_the_envelope_is_as_arq_writes_it(changes: dict[str, Any]) -> None:
    """No positional arguments, no try number, a moment in milliseconds."""
    assert not is_in_schema({**a_body(), **changes})


def test_what_the_schema_cannot_say_the_models_refuse() -> None:
    """The limits its description names: another rule, and an integer written as 1.0."""
    other = a_body(rule={"handler": "github#delete_release"})
    fraction = a_body(rule={"handler": HANDLER, "ordinal": 1.0})
    for body in (other, fraction):
        assert is_in_schema(body)
        assert not is_decoded(body)


def test_each_call_gives_a_schema_of_its_own() -> None:
    """A caller that changes the schema changes nobody else's."""
    schema().clear()
    assert schema()["$defs"]
