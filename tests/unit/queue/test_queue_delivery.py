"""What a gateway knows of a delivery before it enqueues: ids, order, lanes, the event's bytes."""

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_factory import CANARY, HANDLER, nested

from imbi_sdk.event import event_context
from imbi_sdk.queue import (
    InvalidDelivery,
    WebhookRule,
    by_project,
    by_project_and_plugin,
    delivery_id,
    job_id,
    without_lane,
)
from imbi_sdk.queue import delivery as delivery_module
from imbi_sdk.queue.delivery import encode_event, in_rule_order
from imbi_sdk.queue.flaws import EVENT_DEPTH_LIMIT

FACTS = st.tuples(*[st.text(max_size=8)] * 4, st.integers(0, 5))
BODY = b'{"action":"opened"}'


@settings(deadline=None)
@given(one=FACTS, other=FACTS)
def test_a_job_id_stands_for_its_facts(
    one: tuple[str, str, str, str, int], other: tuple[str, str, str, str, int]
) -> None:
    """The same facts give the same id; different facts another, however they are cut."""
    assert (job_id(*one) == job_id(*other)) == (one == other)


@settings(deadline=None)
@given(facts=FACTS)
def test_a_job_id_is_short_and_plain(facts: tuple[str, str, str, str, int]) -> None:
    """32 hexadecimal digits, whatever the facts hold, lone surrogates included."""
    assert len(job_id(*facts)) == 32
    assert set(job_id(*facts)) <= set("0123456789abcdef")


def test_facts_that_run_into_each_other_keep_their_ids_apart() -> None:
    """No separator in a fact can move the border between two."""
    ids = {job_id("a", "b", "c", HANDLER, 0), job_id("a,b", "", "c", HANDLER, 0)}
    ids |= {job_id('a","b', "", "c", HANDLER, 0), job_id("", "ab", "c", HANDLER, 0)}
    assert len(ids) == 4


def test_lone_surrogates_in_facts_keep_their_ids_apart() -> None:
    """They are hashed as they are, not replaced by one and the same character."""
    assert job_id("\ud800", "", "", HANDLER, 0) != job_id("\ud801", "", "", HANDLER, 0)


@settings(deadline=None)
@given(order=st.permutations(["a#x", "b#y", "c#z", "d#w"]))
def test_a_rule_keeps_its_occurrence_when_others_move(order: list[str]) -> None:
    """Rules of other handlers may come, go and change places."""
    rules = [WebhookRule(handler=handler, ordinal=n) for n, handler in enumerate(order)]
    assert {(rule.handler, nth) for rule, nth in in_rule_order(rules)} == {
        (handler, 0) for handler in order
    }


def test_rules_run_by_ordinal_and_equals_as_given() -> None:
    """The order is stable, and rules of one handler are counted in it."""
    rules = [
        WebhookRule(handler="a#x", ordinal=2, handler_config="{}"),
        WebhookRule(handler="b#y", ordinal=1, handler_config='"first"'),
        WebhookRule(handler="b#y", ordinal=1, handler_config='"second"'),
        WebhookRule(handler="a#x", ordinal=0, handler_config="[]"),
    ]
    assert [(rule.handler, rule.handler_config, nth) for rule, nth in in_rule_order(rules)] == [
        ("a#x", "[]", 0),
        ("b#y", '"first"', 0),
        ("b#y", '"second"', 1),
        ("a#x", "{}", 1),
    ]


def test_the_senders_id_wins_over_the_body() -> None:
    """GitHub repeats its id when someone presses Redeliver, even if the body differs."""
    assert delivery_id({"x-github-DELIVERY": "d-1"}, BODY) == "d-1"
    assert delivery_id({"X-GitHub-Delivery": "d-1"}, b"other") == "d-1"


def test_a_body_sent_twice_is_one_delivery() -> None:
    """Without an id of the sender the raw bytes decide, down to white space."""
    assert delivery_id({}, BODY) == delivery_id({"x-other": "1"}, BODY)
    assert delivery_id({}, BODY) != delivery_id({}, BODY + b"\n")


def test_lanes_are_as_wide_as_their_names() -> None:
    """By default a project and plugin; or the project; or no order."""
    assert by_project_and_plugin("p_1", "github") == "p_1/github"
    assert by_project("p_1", "github") == by_project("p_1", "sonarqube") == "p_1"
    assert without_lane("p_1", "github") == ""


def test_an_event_is_stored_compact_and_in_its_own_order() -> None:
    """The bytes are what an attempt reads and what the digest in each job names."""
    assert encode_event({"b": 1, "a": "é"}) == '{"b":1,"a":"é"}'.encode()


def test_an_event_may_be_any_mapping() -> None:
    """As the signature says; a plain dict is not asked for."""
    assert encode_event(MappingProxyType({"a": 1})) == b'{"a":1}'


def test_an_event_context_of_a_strange_body_is_stored() -> None:
    """What imbi_sdk.event makes of a body with lone surrogates needs no further care."""
    event = event_context(
        event_type="", service="github", webhook_id="wh", headers={}, payload={"a": "\ud800"}
    )
    assert json.loads(encode_event(event))["payload"] == {"a": "\ufffd"}


@pytest.mark.parametrize("event", [None, [], "text", b"{}", 1], ids=repr)
def test_an_event_that_is_no_object_is_refused(event: Any) -> None:
    """Says what it is and what to pass."""
    kind = type(event).__name__
    with pytest.raises(InvalidDelivery, match=f"is a {kind}, not an object: pass the event"):
        encode_event(event)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"payload": {"a/b": [0, {"~": float("nan")}]}}, "/payload/a~1b/1/~0 is NaN or infinite"),
        ({"a": float("inf")}, "event's /a is NaN or infinite, .*: replace it with null"),
        ({"a": ["x\ud800"]}, "/a/0 holds a lone surrogate: replace it"),
        ({"a": {"\ud800": 1}}, "/a has a key that holds a lone surrogate: replace it"),
        ({"\ud800": 1}, "event's / has a key that holds a lone surrogate"),
        ({"a": {("x",): 1}}, "/a has a key that is a tuple, not a string"),
        ({"a": {"b": b"raw"}}, "/a/b is a bytes, not JSON: convert it"),
        ({"a": MappingProxyType({})}, "/a is a mappingproxy, not JSON: convert it"),
        ({"a": [10**5000]}, "/a/0 is an integer of thousands of digits: send it as a string"),
        ({"first": b"", "second": b""}, "/first is a bytes"),
    ],
)
def test_an_event_that_is_no_json_is_refused_at_its_place(event: Any, said: str) -> None:
    """The error names the JSON pointer of the first flaw and what to do about it."""
    with pytest.raises(InvalidDelivery, match=said):
        encode_event(event)


def test_a_flaw_under_an_endless_key_is_named_shortly() -> None:
    """A key of the sender's cannot fill a log."""
    with pytest.raises(InvalidDelivery) as refused:
        encode_event({"k" * 1_000_000: float("nan")})
    assert len(str(refused.value)) < 400


def test_a_refusal_quotes_no_value() -> None:
    """Pointers and kinds, never what stood there."""
    with pytest.raises(InvalidDelivery) as refused:
        encode_event({"token": f"{CANARY}\ud800"})
    assert "/token" in str(refused.value)
    assert CANARY not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("levels", [EVENT_DEPTH_LIMIT + 1, 10_000])
def test_an_event_nested_too_deep_is_refused(levels: int) -> None:
    """With the limit, and without a RecursionError."""
    with pytest.raises(InvalidDelivery, match=r"nests deeper than 128 levels: .* at the gateway"):
        encode_event(nested(levels))


def test_lists_count_as_levels_too() -> None:
    """The limit is on what a parser has to hold, not on objects."""
    deep: Any = []
    for _ in range(EVENT_DEPTH_LIMIT - 1):
        deep = [deep]
    with pytest.raises(InvalidDelivery, match="nests deeper"):
        encode_event({"a": deep})


def test_an_event_that_holds_itself_is_refused() -> None:
    """As nested too deep, which it is."""
    event: dict[str, Any] = {}
    event["self"] = event
    with pytest.raises(InvalidDelivery, match="nests deeper"):
        encode_event(event)


def test_the_deepest_event_is_stored() -> None:
    """The limit is the one the error names, to the level."""
    assert encode_event(nested(EVENT_DEPTH_LIMIT)).count(b"{") == EVENT_DEPTH_LIMIT


def test_an_event_over_the_size_limit_is_refused_with_both_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted in stored bytes, not characters; the limit itself still goes."""
    monkeypatch.setattr(delivery_module, "EVENT_BYTES_LIMIT", 1_000)
    frame = len(b'{"a":""}')
    assert len(encode_event({"a": "é" * ((1_000 - frame) // 2)})) == 1_000
    with pytest.raises(InvalidDelivery, match="has 1,008 bytes, the limit is 1,000: drop"):
        encode_event({"a": "x" * 1_000})


def test_the_size_limit_is_above_what_senders_send() -> None:
    """GitHub's limit is 25 MB; the event context around the body needs some room."""
    assert delivery_module.EVENT_BYTES_LIMIT == 26 * 1024 * 1024


@pytest.mark.parametrize(
    ("body", "pointer", "found"),
    [
        (b'{"event":{"id":"01D"}}', "/event/id", "01D"),
        (b'{"event":{"id":42}}', "/event/id", "42"),
    ],
)
def test_a_pointer_finds_the_id_a_service_puts_in_its_body(
    body: bytes, pointer: str, found: str
) -> None:
    assert delivery_id({}, body, pointer=pointer) == found
    assert delivery_id({"X-GitHub-Delivery": "g"}, body, pointer=pointer) == "g"


@pytest.mark.parametrize(
    "body", [b"no json", b"{}", b'{"event":{"id":{}}}', b'{"event":{"id":true}}']
)
def test_a_pointer_that_leads_to_no_id_leaves_the_hash(body: bytes) -> None:
    assert delivery_id({}, body, pointer="/event/id") == delivery_id({}, body)
    assert delivery_id({}, body, pointer="no pointer") == delivery_id({}, body)
