"""The vectors are the contract with other languages: each is computed again here."""

import base64
import json
from typing import Any

import pytest
from pydantic import SecretStr

from imbi_sdk.handler import parse_handler
from imbi_sdk.queue import Signer, SigningKeyError, WireError, delivery_id, job_id, vectors
from imbi_sdk.queue.delivery import encode_event
from imbi_sdk.queue.json_text import dump
from imbi_sdk.queue.signing import canonical, event_digest, signed_text
from imbi_sdk.queue.wire import decode, encode


def every(section: str) -> pytest.MarkDecorator:
    entries = vectors()[section]
    assert entries, f"no vectors in {section}"
    return pytest.mark.parametrize("vector", entries, ids=lambda vector: vector["name"])


def signer_of(*keys: str) -> Signer:
    return Signer([SecretStr(key) for key in keys])


@every("job_ids")
def test_the_facts_of_a_job_give_its_id(vector: dict[str, Any]) -> None:
    """The text that is hashed is the JSON array of the facts, and the id is its first 128 bits."""
    names = ("webhook_id", "delivery", "project_id", "handler", "occurrence")
    facts = {name: vector[name] for name in names}
    assert job_id(**facts) == vector["id"]
    assert event_digest(vector["text"].encode())[:32] == vector["id"]
    assert json.loads(vector["text"]) == list(facts.values())


@every("delivery_ids")
def test_headers_and_body_give_the_delivery_id(vector: dict[str, Any]) -> None:
    """The sender's own id, or the SHA-256 of the raw bytes."""
    body = base64.b64decode(vector["body_base64"])
    assert delivery_id(vector["headers"], body) == vector["id"]


@every("events")
def test_an_event_has_one_stored_text_and_digest(vector: dict[str, Any]) -> None:
    """What is stored is compact UTF-8 JSON in the order given; the digest is of these bytes."""
    stored = encode_event(vector["event"])
    assert stored == vector["text"].encode()
    assert event_digest(stored) == vector["sha256"]


@every("jobs")
def test_a_job_has_one_signed_text_and_signature(vector: dict[str, Any]) -> None:
    """Text, signature and inline digest are functions of the vector alone."""
    id_, function, k = vector["job_id"], vector["function"], vector["k"]
    assert signed_text(id_, function, k) == vector["signed_text"].encode()
    assert signer_of(vector["key"]).sign(id_, function, k) == vector["sig"]
    if vector["event_sha256"]:
        assert event_digest(canonical(k["event"])) == vector["event_sha256"]


@every("jobs")
def test_the_body_of_a_vector_is_a_signed_job(vector: dict[str, Any]) -> None:
    """A worker decodes it to the job that was signed, and believes it."""
    k = {**vector["k"], "sig": vector["sig"]}
    outer = {"t": None, "f": vector["function"], "a": [], "k": k, "et": vector["enqueued_ms"]}
    body = decode(vector["job_id"], vector["body"].encode())
    assert vector["body"].encode() == dump(outer)
    assert body.k == k
    assert body.is_signed_by(signer_of(vector["key"]))


def test_the_producer_writes_the_vector_of_every_field() -> None:
    """The encoder and the vector agree on content and signature, whatever the member order."""
    vector = next(entry for entry in vectors()["jobs"] if entry["name"] == "every field")
    job = decode(vector["job_id"], vector["body"].encode()).job
    signer = signer_of(vector["key"])
    written = encode(job, signer=signer, enqueued_ms=vector["enqueued_ms"])
    assert json.loads(written) == json.loads(vector["body"])


@every("rotation")
def test_any_of_the_keys_verifies(vector: dict[str, Any]) -> None:
    """While keys rotate, a job signed with either is good."""
    signer = signer_of(*vector["keys"])
    assert signer.is_valid(vector["job_id"], vector["function"], vector["k"])


@every("bad_signatures")
def test_a_bad_signature_is_refused(vector: dict[str, Any]) -> None:
    """Refused without an error, for the reason the vector states."""
    signer = signer_of(*vector["keys"])
    assert vector["reason"]
    assert not signer.is_valid(vector["job_id"], vector["function"], vector["k"])


@every("bad_bodies")
def test_a_bad_body_is_refused_by_name(vector: dict[str, Any]) -> None:
    """The error's class and text tell a reader what the vector states."""
    with pytest.raises(WireError) as refused:
        decode(vector["job_id"], base64.b64decode(vector["body_base64"]))
    assert type(refused.value).__name__ == vector["refused_as"]
    assert vector["names"] in str(refused.value)
    assert vector["reason"]


@every("bad_keys")
def test_a_weak_key_is_refused(vector: dict[str, Any]) -> None:
    """No signer is made with it, and the error does not quote it."""
    with pytest.raises(SigningKeyError) as refused:
        signer_of(vector["key"])
    assert not vector["key"] or vector["key"] not in str(refused.value)


@pytest.mark.parametrize(
    "vector",
    vectors()["numbers_in_inline_events"],
    ids=lambda vector: vector["in_the_body"],
)
def test_a_number_is_signed_as_the_table_says(vector: dict[str, Any]) -> None:
    """The one place where languages differ is written down number by number."""
    assert canonical(json.loads(vector["in_the_body"])).decode() == vector["signed_as"]


@pytest.mark.parametrize("handler", vectors()["handlers"]["good"])
def test_a_good_handler_is_taken(handler: str) -> None:
    """Slug and action come out as they stand."""
    assert "#".join(parse_handler(handler)) == handler


@pytest.mark.parametrize("handler", vectors()["handlers"]["bad"], ids=ascii)
def test_a_bad_handler_is_refused(handler: str) -> None:
    """The whole text must match; the error says how a handler is written."""
    with pytest.raises(ValueError, match="write <plugin-slug>#<action_name>"):
        parse_handler(handler)


def test_each_call_gives_a_copy_of_its_own() -> None:
    """A caller that changes the vectors changes nobody else's."""
    vectors().clear()
    assert vectors()["wire_version"] == 1
