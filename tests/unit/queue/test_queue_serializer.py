"""A stock arq client with the two hooks reads and writes our queue, through arq's own functions."""

import asyncio
import json
import pickle
from typing import Any

import pytest
from arq.jobs import (
    DeserializationError,
    SerializationError,
    deserialize_job,
    deserialize_result,
    serialize_job,
    serialize_result,
)
from queue_factory import CANARY, ENQUEUED_MS, HANDLER, JOB_ID, a_k, a_signer

from imbi_sdk.queue import ActionFailed, WireError, arq_deserializer, arq_serializer
from imbi_sdk.queue.json_text import dump
from imbi_sdk.queue.wire import decode


def a_result(value: Any, *, success: bool) -> bytes:
    body = serialize_result(
        HANDLER,
        (),
        {"delivery": "d-1"},
        1,
        ENQUEUED_MS,
        success,
        value,
        ENQUEUED_MS,
        ENQUEUED_MS,
        JOB_ID,
        "imbi:queue",
        JOB_ID,
        serializer=arq_serializer,
    )
    assert body is not None
    return body


def test_a_stock_client_enqueues_a_job_of_ours() -> None:
    """What arq serializes decodes as a signed job."""
    signer, k = a_signer(), a_k()
    k["sig"] = signer.sign(JOB_ID, HANDLER, k)
    body = serialize_job(HANDLER, (), k, None, ENQUEUED_MS, serializer=arq_serializer)
    decoded = decode(JOB_ID, body)
    assert decoded.job.plugin_id == "pl_1"
    assert decoded.is_signed_by(signer)


def test_a_stock_client_reads_a_job_of_ours() -> None:
    """Function, keyword arguments and moment, as Job.info() shows them."""
    body = serialize_job(HANDLER, (), a_k(), None, ENQUEUED_MS, serializer=arq_serializer)
    job = deserialize_job(body, deserializer=arq_deserializer)
    assert (job.function, tuple(job.args), job.kwargs) == (HANDLER, (), a_k())


def test_a_good_result_comes_back() -> None:
    """As JSON has it."""
    result = deserialize_result(a_result({"n": 1}, success=True), deserializer=arq_deserializer)
    assert (result.success, result.result) == (True, {"n": 1})


def test_a_failure_revives_as_action_failed() -> None:
    """Its text is the type and message; no traceback, no pickle."""
    body = a_result(ValueError("no such repository"), success=False)
    assert json.loads(body)["r"] == "ValueError: no such repository"
    result = deserialize_result(body, deserializer=arq_deserializer)
    assert isinstance(result.result, ActionFailed)
    assert str(result.result) == "ValueError: no such repository"


def test_a_cancel_revives_as_a_cancel() -> None:
    """Job.abort() waits for exactly this."""
    body = a_result(asyncio.CancelledError(), success=False)
    result = deserialize_result(body, deserializer=arq_deserializer)
    assert isinstance(result.result, asyncio.CancelledError)


def test_an_action_may_return_the_word_cancelled() -> None:
    """Only a failure is taken for a cancel."""
    result = deserialize_result(a_result("cancelled", success=True), deserializer=arq_deserializer)
    assert result.result == "cancelled"


@pytest.mark.parametrize(
    "value",
    [b"x", {1, 2}, float("nan"), "\ud800", object()],
    ids=["bytes", "set", "nan", "surrogate", "object"],
)
def test_what_is_no_json_is_refused(value: Any) -> None:
    """In arq's own error, at the client; nothing is written in another form."""
    with pytest.raises(SerializationError):
        serialize_job(HANDLER, (), {"x": value}, None, 1, serializer=arq_serializer)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_never_loaded(protocol: int) -> None:
    """Loading one would run what it names; the error says what to use."""
    body = pickle.dumps({"f": HANDLER, "k": {"x": CANARY}}, protocol=protocol)
    with pytest.raises(WireError, match="pickle, which is never loaded: use arq_serializer") as no:
        arq_deserializer(body)
    assert CANARY not in str(no.value)
    with pytest.raises(DeserializationError):
        deserialize_job(body, deserializer=arq_deserializer)


@pytest.mark.parametrize("protocol", [0, 1])
def test_an_old_pickle_is_no_json(protocol: int) -> None:
    """Its first byte does not tell, its content does."""
    with pytest.raises(WireError, match="no JSON"):
        arq_deserializer(pickle.dumps({"f": HANDLER}, protocol=protocol))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"f":\n nope}', "the body is no JSON: it goes wrong at line 2 column 2"),
        (b'{"f": "\xff"}', "the body is no JSON: it is no UTF-8"),
        (b"", "the body is no JSON: it goes wrong at line 1 column 1"),
        (b'{"n": ' + b"9" * 4_301 + b"}", "the body holds an integer of thousands of digits: send"),
        (b'{"n": 1e400}', "the body holds a number beyond a double's range: send it as a string"),
        (b'{"n": NaN}', "the body holds NaN, which JSON has no word for: write null"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(body: bytes, text: str) -> None:
    """And none of its content."""
    with pytest.raises(WireError) as no:
        arq_deserializer(body)
    assert str(no.value).startswith(text)


def nested(levels: int) -> bytes:
    """An object around lists: *levels* of them in all."""
    return b'{"k":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("levels", [131, 1_000, 100_000])
def test_what_nests_too_deep_to_be_written_again_is_not_read(levels: int) -> None:
    """Python's parser takes more than any writer gives back."""
    with pytest.raises(WireError, match="the body nests deeper than 130 levels: refuse"):
        arq_deserializer(nested(levels))


def test_what_a_gateway_may_write_is_read() -> None:
    """An event of 128 levels within its body, and any number of brackets side by side."""
    assert dump(arq_deserializer(nested(130))) == nested(130)
    flat = b'{"k":[' + b",".join([b"[]"] * 500) + b"]}"
    assert dump(arq_deserializer(flat)) == flat


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (rb'{"k":{"a":["\ud800"]}}', "/k/a/0 holds"),
        (rb'{"k":{"\uDFFF":1}}', "/k has a key that holds"),
        (rb'{"k":"\ud83d\ude00\ud800"}', "/k holds"),
    ],
)
def test_half_of_a_character_is_refused_with_its_place(body: bytes, place: str) -> None:
    """No one could sign it, and no store take it."""
    with pytest.raises(WireError, match=f"the body's {place} a lone surrogate: replace it"):
        arq_deserializer(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [(rb'{"k":"\ud83d\ude00"}', "😀"), (rb'{"k":"a\\ud800"}', r"a\ud800")],
)
def test_what_only_looks_like_half_of_a_character_is_read(body: bytes, value: str) -> None:
    """A pair of escapes is one character, and an escaped backslash begins none."""
    assert arq_deserializer(body) == {"k": value}


def test_the_serializer_changes_nothing_of_its_callers() -> None:
    """Arq uses the dict again when a result cannot be written."""
    failure = ValueError("x")
    value = {"r": failure, "s": False}
    arq_serializer(value)
    assert value["r"] is failure
