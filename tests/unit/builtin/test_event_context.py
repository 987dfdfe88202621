"""The event context, as the gateway documents it."""

import json
from typing import Any

import pytest

from imbi_sdk.event import (
    REDACTED_HEADERS,
    event_context,
    replace_lone_surrogates,
    without_logins,
)
from imbi_sdk.testing.deliveries import NAMES, sample


def context(**changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "event_type": "push",
        "service": "github",
        "attributed_to": "mara@tidewater.example",
        "webhook_id": "w-1",
        "headers": {},
        "payload": {},
    }
    return event_context(**{**arguments, **changes})


def test_an_event_has_the_documented_shape() -> None:
    """Filters and actions address these names."""
    assert context(headers={"X-GitHub-Event": "push"}, payload={"a": 1}) == {
        "type": "push",
        "third_party_service": "github",
        "attributed_to": "mara@tidewater.example",
        "metadata": {"webhook_id": "w-1", "headers": {"x-github-event": "push"}},
        "payload": {"a": 1},
    }


def test_the_nine_headers_that_prove_a_sender_are_redacted(canary: str) -> None:
    """Whatever the case of their names; the delivery's number stays."""
    headers = {name.title(): canary for name in REDACTED_HEADERS} | {"X-GitHub-Delivery": "d-1"}
    seen = context(headers=headers)["metadata"]["headers"]
    assert len(REDACTED_HEADERS) == 9
    assert canary not in json.dumps(seen)
    assert seen["authorization"] == "[redacted]"
    assert seen["x-github-delivery"] == "d-1"


@pytest.mark.parametrize("payload", [[1], "text", 1, None])
def test_a_body_that_is_no_object_is_an_empty_payload(payload: Any) -> None:
    """As in the gateway, so that a pointer fails in one way only."""
    assert context(payload=payload)["payload"] == {}


def test_lone_surrogates_are_replaced_in_keys_too() -> None:
    """What UTF-8 cannot write must not get as far as a store."""
    body = json.loads(r'{"\ud800k": ["a\udfffb", {"x": "\ud83d\ude00"}], "n": [1, true, null]}')
    assert replace_lone_surrogates(body) == {
        "\ufffdk": ["a\ufffdb", {"x": "😀"}],
        "n": [1, True, None],
    }


def test_replacing_keeps_the_order_and_the_original() -> None:
    """The body is copied, not changed."""
    body = {"b": [1, {"c": 2}], "a": "x\ud800"}
    copy = replace_lone_surrogates(body)
    assert list(copy) == ["b", "a"]
    assert body["a"] == "x\ud800"
    assert copy["b"] is not body["b"]


def test_a_very_deep_body_is_no_problem() -> None:
    """The sender decides about depth; our stack must not be what breaks."""
    body: list[Any] = []
    for _ in range(100_000):
        body = [body]
    depth, level = 0, replace_lone_surrogates(body)
    while level:
        depth, level = depth + 1, level[0]
    assert depth == 100_000
    # Taken apart by hand: freeing 100,000 levels at once is C recursion.
    while body:
        body = body.pop()


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_delivery_is_a_whole_event(name: str) -> None:
    """The samples prove their sender with a header that no event shows."""
    delivery = sample(name)
    event = delivery.event()
    assert event["type"]
    assert event["third_party_service"]
    assert event["payload"]
    assert "[redacted]" in event["metadata"]["headers"].values()
    assert "must-never-be-seen" in json.dumps(dict(delivery.headers))
    assert "must-never-be-seen" not in json.dumps(event)


def test_a_sample_can_be_delivered_again_under_another_number() -> None:
    """GitHub numbers its deliveries; a sample without a number says so."""
    numbered = sample("github-push").numbered("d-2")
    assert numbered.event()["metadata"]["headers"]["x-github-delivery"] == "d-2"
    with pytest.raises(ValueError, match="no number"):
        sample("sonarqube-quality-gate").numbered("d-2")


def test_an_unknown_sample_is_named_with_those_there_are() -> None:
    """A typing error costs one look."""
    with pytest.raises(KeyError, match="github-push"):
        sample("gitlab-push")


def test_a_context_of_somebody_elses_making_loses_its_logins(canary: str) -> None:
    """In any case; everything else stays, and the given object is not changed."""
    given = {
        "type": "push",
        "metadata": {"webhook_id": "w", "headers": {"Authorization": canary, "X-Other": "1"}},
        "payload": {"authorization": "of the payload"},
    }
    stored = without_logins(given)
    assert canary not in str(stored)
    assert stored["metadata"] == {
        "webhook_id": "w",
        "headers": {"Authorization": "[redacted]", "X-Other": "1"},
    }
    assert stored["payload"] == given["payload"]
    assert canary in str(given)


@pytest.mark.parametrize("metadata", [None, [], {}, {"headers": None}, {"headers": {7: "x"}}])
def test_a_context_without_headers_stays_as_it_is(metadata: Any) -> None:
    """Whether it may be enqueued is looked at elsewhere."""
    assert without_logins({"metadata": metadata}) == {"metadata": metadata}
