"""Write access to Redis is not enough to have a job believed."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from queue_factory import CANARY, HANDLER, JOB_ID, a_k, a_signer

from imbi_sdk.queue import ActionJob, JobContext, RuleOnWire, Signer, SigningKeyError
from imbi_sdk.queue.signing import canonical, signed_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def a_full_k() -> dict[str, Any]:
    """Every member the models know, none at its default."""
    k = a_k(event={"type": "push"}, v=1, unknown="kept")
    context = dict.fromkeys(JobContext.model_fields, "x")
    rule = {"handler": HANDLER, "ordinal": 4, "config": '{"a": 1}'}
    return {**k, "context": context, "rule": rule}


def members(k: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, value in k.items():
        if name in {"context", "rule", "event"}:
            yield from ((name, inner) for inner in value)
        yield (name,)


def test_every_member_the_models_know_stands_in_the_test_data() -> None:
    """A field added to a model is covered below without anyone remembering it."""
    k = a_full_k()
    assert set(k) >= set(ActionJob.model_fields) - {"id", "handler", "sig"}
    assert set(k["context"]) == set(JobContext.model_fields)
    assert set(k["rule"]) == set(RuleOnWire.model_fields)


@pytest.mark.parametrize("place", list(members(a_full_k())), ids=".".join)
@pytest.mark.parametrize("value", ["changed", None, 7, ..., {}], ids=repr)
def test_any_changed_member_breaks_the_signature(place: tuple[str, ...], value: Any) -> None:
    """Changed, nulled or removed: whatever an attempt would believe is signed."""
    signer, k = a_signer(), a_full_k()
    forged = copy.deepcopy(k)
    *path, name = place
    target = forged
    for step in path:
        target = target[step]
    if value is ...:
        del target[name]
    else:
        target[name] = value
    forged["sig"] = signer.sign(JOB_ID, HANDLER, k)
    assert signer.is_valid(JOB_ID, HANDLER, {**k, "sig": forged["sig"]})
    assert not signer.is_valid(JOB_ID, HANDLER, forged)


@settings(deadline=None)
@given(id_=TEXT, function=TEXT)
def test_a_signature_holds_for_one_id_and_one_function(id_: str, function: str) -> None:
    """A signed job cannot be moved to another id, nor run as another action."""
    signer, k = a_signer(), a_k()
    k["sig"] = signer.sign(JOB_ID, HANDLER, k)
    assert signer.is_valid(id_, HANDLER, k) == (id_ == JOB_ID)
    assert signer.is_valid(JOB_ID, function, k) == (function == HANDLER)


@settings(deadline=None)
@given(
    k=st.dictionaries(TEXT, TEXT | st.integers() | st.none(), max_size=6),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_of_members_is_not_signed(k: dict[str, Any], seed: Any) -> None:
    """Two programs that write the same values sign the same text."""
    items = list(k.items())
    seed.shuffle(items)
    assert signed_text(JOB_ID, HANDLER, dict(items)) == signed_text(JOB_ID, HANDLER, k)


@settings(deadline=None)
@given(one=st.tuples(TEXT, TEXT, TEXT), other=st.tuples(TEXT, TEXT, TEXT))
def test_two_jobs_never_share_a_signed_text(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    """An id may hold a newline; a function that decodes never does, so the lines stay apart."""
    texts = [
        signed_text(id_, function.replace("\n", ""), {"x": value})
        for id_, function, value in (one, other)
    ]
    same = (one[0], one[1].replace("\n", ""), one[2]) == (
        other[0],
        other[1].replace("\n", ""),
        other[2],
    )
    assert (texts[0] == texts[1]) == same


def test_an_id_with_a_newline_is_not_another_jobs_function() -> None:
    """The case an attacker would try first."""
    assert signed_text("a\nb#c", HANDLER, {}) != signed_text("a", "b#c", {"x": HANDLER})


@pytest.mark.parametrize("sig", [None, "", 1, ["0"], "é" * 64, "0" * 64, "0" * 10_000])
def test_what_is_no_signature_is_refused_without_an_error(sig: Any) -> None:
    """Whatever stands in sig."""
    assert not a_signer().is_valid(JOB_ID, HANDLER, {**a_k(), "sig": sig})


@pytest.mark.parametrize(
    "value",
    [float("nan"), "\ud800", b"bytes", {1: 2, "a": 3}, 10**5000],
    ids=["nan", "surrogate", "bytes", "keys", "integer"],
)
def test_what_has_no_canonical_form_is_refused_without_an_error(value: Any) -> None:
    """Nobody can have signed it."""
    k = {**a_k(), "odd": value, "sig": "0" * 64}
    assert not a_signer().is_valid(JOB_ID, HANDLER, k)


def test_the_first_key_signs_and_all_verify() -> None:
    """Rotation: readers get the new key beside the old, then writers, then the old one goes."""
    old, new = "the-old-key-0123", "the-new-key-4567"
    k = a_k()
    by_old, by_new = ({**k, "sig": a_signer(key).sign(JOB_ID, HANDLER, k)} for key in (old, new))
    both = a_signer(new, old)
    assert both.sign(JOB_ID, HANDLER, k) == by_new["sig"]
    assert both.is_valid(JOB_ID, HANDLER, by_old)
    assert both.is_valid(JOB_ID, HANDLER, by_new)
    assert not a_signer(new).is_valid(JOB_ID, HANDLER, by_old)


def test_no_key_is_refused_with_the_setting_to_look_at() -> None:
    """Nothing is ever signed with an empty key."""
    with pytest.raises(SigningKeyError, match="no signing key: set IMBI_WORKER_SIGNING_KEY"):
        Signer([])


def test_a_short_key_is_refused_by_its_number() -> None:
    """Which key, which setting, how to make a better one; never the key."""
    with pytest.raises(SigningKeyError) as refused:
        a_signer("long-enough-0123456789", "short-canary")
    said = str(refused.value)
    assert "key number 2 in IMBI_WORKER_SIGNING_KEY is shorter than 16 characters" in said
    assert "openssl rand" in said
    assert "canary" not in repr(refused.value)


def test_sixteen_characters_are_enough() -> None:
    """The limit is the one the error names."""
    assert a_signer("0123456789abcdef").sign(JOB_ID, HANDLER, a_k())


def test_a_signer_shows_no_key() -> None:
    """Not in its repr, and not in a signature."""
    signer = Signer([SecretStr(CANARY)])
    assert repr(signer) == "Signer(1 keys)"
    assert CANARY not in str(signer)
    assert CANARY not in signer.sign(JOB_ID, HANDLER, a_k())


def test_the_canonical_form_is_sorted_compact_utf8() -> None:
    """Sorted by code point at every level; nothing escaped that JSON lets stand."""
    value = {"b": [1, {"d": "é/<", "c": None}], "\N{ROCKET}": True, "\uff5e": 1.5}
    assert canonical(value).decode() == (
        '{"b":[1,{"c":null,"d":"é/<"}],"\uff5e":1.5,"\N{ROCKET}":true}'
    )
