"""What a rule's pointers find in an event, and what is said where they find nothing of use."""

from typing import Any

import pytest
from jsonpointer import JsonPointer

from imbi_sdk.errors import PermanentError, Skip
from imbi_worker.builtin.deployment_status import STATUSES, status_at
from imbi_worker.builtin.selectors import required_text_at, text_at, value_at

EVENT: dict[str, Any] = {
    "payload": {
        "text": "v1",
        "empty": "",
        "whole": 7,
        "part": 1.5,
        "nothing": None,
        "truth": True,
        "list": ["a"],
        "object": {"a": 1},
    }
}


def at(name: str) -> JsonPointer:
    return JsonPointer(f"/payload/{name}")


@pytest.mark.parametrize("name", EVENT["payload"])
def test_a_value_is_given_as_it_stands(name: str) -> None:
    """A null is a value, too."""
    assert value_at(EVENT, at(name), field="from") is EVENT["payload"][name]


def test_the_place_after_the_last_element_is_none_to_read() -> None:
    """JSON Patch writes there."""
    with pytest.raises(PermanentError, match=r"nothing at '/payload/list/-' \(the rule's 'from'\)"):
        value_at(EVENT, at("list/-"), field="from")


@pytest.mark.parametrize(
    ("name", "text"),
    [("text", "v1"), ("empty", ""), ("whole", "7"), ("part", "1.5"), ("nothing", None)],
)
def test_texts_and_numbers_are_texts(name: str, text: str | None) -> None:
    """Senders write an id the one way or the other."""
    assert text_at(EVENT, at(name), field="note_selector") == text


@pytest.mark.parametrize(
    ("name", "kind"), [("truth", "bool"), ("list", "list"), ("object", "dict")]
)
def test_what_is_neither_is_no_text(name: str, kind: str) -> None:
    """What Python would make of it means nothing to Imbi."""
    said = rf"no text at '/payload/{name}' \(the rule's 'note_selector'\), but a {kind}$"
    with pytest.raises(PermanentError, match=said):
        text_at(EVENT, at(name), field="note_selector")


@pytest.mark.parametrize(("name", "found"), [("nothing", "null"), ("empty", "an empty text")])
def test_a_text_that_must_be_there_is_not_empty(name: str, found: str) -> None:
    """An environment without a name is none."""
    assert required_text_at(EVENT, at("text"), field="environment_selector") == "v1"
    said = rf"has {found} at '/payload/{name}' \(the rule's 'environment_selector'\)$"
    with pytest.raises(PermanentError, match=said):
        required_text_at(EVENT, at(name), field="environment_selector")


@pytest.mark.parametrize(("githubs", "imbis"), STATUSES.items())
def test_a_status_of_githubs_is_one_of_imbis(githubs: str, imbis: str) -> None:
    """Seven words there, five here."""
    assert imbis in {"pending", "in_progress", "success", "failed", "rolled_back"}
    event = {"payload": {"state": githubs}}
    assert status_at(event, at("state"), field="status_selector") == imbis


@pytest.mark.parametrize(
    ("state", "named"),
    [(None, "null"), ("", "''"), ("waiting", "'waiting'"), ("w" * 101, f"'{'w' * 100}'")],
)
def test_a_status_that_imbi_has_no_word_for_is_skipped_by_name(
    state: str | None, named: str
) -> None:
    """However long the name is."""
    with pytest.raises(Skip, match=f"^Imbi has no word for the deployment status {named}$"):
        status_at({"payload": {"state": state}}, at("state"), field="status_selector")
