"""A body is encoded, decoded and refused without ever quoting what it holds."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_factory import (
    CANARY,
    ENQUEUED_MS,
    HANDLER,
    JOB_ID,
    a_body,
    a_job,
    a_signer,
    an_inline_job,
    as_bytes,
    nested,
)

from imbi_sdk.queue import ActionJob, ForeignJob, NewerWire, WireError
from imbi_sdk.queue.json_text import dump, load
from imbi_sdk.queue.wire import decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OPTIONAL = st.none() | TEXT
JOBS = st.builds(
    lambda context, config, plugin, ref, event: a_job(
        context=context,
        rule={"handler": HANDLER, "ordinal": len(config), "config": config},
        plugin_id=plugin,
        **({"event": event, "event_ref": ...} if ref is None else {"event_ref": ref}),
    ),
    st.fixed_dictionaries(
        {
            "project_id": TEXT.filter(bool),
            "project_slug": TEXT,
            "org_slug": TEXT,
            "team_slug": OPTIONAL,
            "actor": OPTIONAL,
            "service": OPTIONAL,
        }
    ),
    TEXT,
    OPTIONAL,
    st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    st.dictionaries(TEXT, JSON, max_size=4),
)


@settings(deadline=None)
@given(job=JOBS)
def test_what_was_encoded_is_decoded(job: ActionJob) -> None:
    """Every field comes back, an event with its nulls; the signature holds."""
    signer = a_signer()
    body = decode(job.id, encode(job, signer=signer, enqueued_ms=ENQUEUED_MS))
    assert body.job.model_copy(update={"sig": None}) == job
    assert body.is_signed_by(signer)


@settings(deadline=None)
@given(value=st.dictionaries(TEXT, JSON, max_size=5))
def test_what_was_dumped_is_loaded(value: dict[str, Any]) -> None:
    """Whatever we write we read, and write again to the same bytes."""
    assert load(dump(value)) == value
    assert dump(load(dump(value))) == dump(value)


@settings(deadline=None)
@given(body=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_wire_error(body: bytes) -> None:
    """A stranger's bytes cannot stop a worker."""
    try:
        load(body)
    except WireError:
        pass
    else:
        assert isinstance(json.loads(body), dict)


@settings(deadline=None)
@given(k=st.dictionaries(st.sampled_from(["v", "context", "rule", "event", "delivery"]), JSON))
def test_no_json_raises_anything_but_a_wire_error(k: dict[str, Any]) -> None:
    """Nor can JSON of any shape; what little passes is a job."""
    try:
        decoded = decode(JOB_ID, as_bytes({"f": HANDLER, "k": k}))
    except WireError:
        return
    assert decoded.job.handler == HANDLER


def test_an_unsigned_body_has_no_signature() -> None:
    """Without a signer nothing pretends to be one."""
    body = decode(JOB_ID, encode(a_job(), signer=None, enqueued_ms=ENQUEUED_MS))
    assert "sig" not in body.k
    assert not body.is_signed_by(a_signer())


def test_a_body_has_arqs_members_in_arqs_order() -> None:
    """A stock reader finds t, f, a, k and et; what is absent is left out of k."""
    body = json.loads(encode(a_job(plugin_id=None), signer=None, enqueued_ms=7))
    assert list(body) == ["t", "f", "a", "k", "et"]
    assert (body["t"], body["f"], body["a"], body["et"]) == (None, HANDLER, [], 7)
    assert "plugin_id" not in body["k"]


def test_a_config_that_is_no_json_is_encoded_as_it_is() -> None:
    """The worker validates a config, so that its refusal is seen and can be replayed."""
    job = a_job(rule={"handler": HANDLER, "config": "{not json"})
    decoded = decode(JOB_ID, encode(job, signer=None, enqueued_ms=1)).job
    assert decoded.rule.config == "{not json"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"a": {"b/c~": float("nan")}}, "/event/a/b~1c~0 is NaN or infinite.*: replace it"),
        ({"a": [0, float("-inf")]}, "/event/a/1 is NaN or infinite"),
        ({"a": "\ud800"}, "/event/a holds a lone surrogate: replace it"),
        ({"a": {"\udfff": 1}}, "/event/a has a key that holds a lone surrogate"),
        ({"a": b"bytes"}, "/event/a is a bytes, not JSON: convert it"),
        ({"a": 10**5000}, "/event/a is an integer of thousands of digits: send it as a string"),
        (nested(129), "nests deeper than 130 levels: refuse"),
        (nested(10_000), "nests deeper than 130 levels: refuse"),
    ],
    ids=["nan", "infinity", "surrogate", "key", "bytes", "integer", "depth", "abyss"],
)
def test_an_inline_event_that_is_no_json_is_refused_at_its_place(event: Any, said: str) -> None:
    """Nothing is turned into something else silently; the error names pointer and remedy."""
    with pytest.raises(WireError, match=said):
        encode(an_inline_job(event), signer=a_signer(), enqueued_ms=1)


def test_a_lone_surrogate_anywhere_in_a_job_is_refused_at_its_place() -> None:
    """Not only in events: a project's name on the sender's side is the sender's text too."""
    with pytest.raises(WireError, match="the job's /external_identifier holds a lone surrogate"):
        encode(a_job(external_identifier="a\ud800"), signer=None, enqueued_ms=1)


def test_the_deepest_event_goes_through_whole() -> None:
    """What encode accepts decode accepts, to the last level."""
    signer, job = a_signer(), an_inline_job(nested(128))
    body = decode(JOB_ID, encode(job, signer=signer, enqueued_ms=1))
    assert body.job.event == job.event
    assert body.is_signed_by(signer)


@pytest.mark.parametrize("place", ["k", "event", "unknown"])
def test_a_body_ten_thousand_levels_deep_is_refused(place: str) -> None:
    """Said in levels, not in a Python error, wherever the abyss lies."""
    abyss = b"[" * 10_000 + b"]" * 10_000
    body = {
        "k": {"f": HANDLER, "k": "@"},
        "event": a_body(event_ref=..., event="@"),
        "unknown": a_body(unknown="@"),
    }[place]
    with pytest.raises(WireError, match="deeper than 130 levels: refuse"):
        decode(JOB_ID, as_bytes(body).replace(b'"@"', abyss))


def test_an_emoji_in_escapes_is_no_lone_surrogate() -> None:
    """A stock client writes ASCII; its surrogate pairs are letters."""
    event = {"text": "\N{ROCKET}"}
    body = as_bytes(a_body(event_ref=..., event=event))
    assert b"\\ud83d" in body
    assert decode(JOB_ID, body).job.event == event


def test_a_newer_version_is_told_from_a_bad_one() -> None:
    """A rolling upgrade waits for newer workers; nothing else of the body is looked at."""
    with pytest.raises(NewerWire, match=r"wire version 2; this worker speaks 1"):
        decode(JOB_ID, as_bytes({"f": HANDLER, "k": {"v": 2, "rule": 7}}))


def test_another_programs_job_is_told_from_a_bad_one() -> None:
    """The function's name is shown, cut at 80 letters, and nothing of its arguments."""
    with pytest.raises(ForeignJob, match=f"'{'x' * 80}' is no") as refused:
        decode(JOB_ID, as_bytes({"f": "x" * 200, "a": [CANARY], "k": {"secret": CANARY}}))
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        a_body(rule={"handler": HANDLER, "config": {"token": CANARY}}),
        a_body(context=CANARY),
        a_body(context={"project_id": "", "project_slug": CANARY}),
        a_body(event_ref=CANARY),
        a_body(event={"token": CANARY}),
        a_body(event_ref=..., event=[CANARY]),
        a_body(traceparent=[CANARY]),
    ],
)
def test_a_refusal_quotes_no_value(body: dict[str, Any]) -> None:
    """Errors land in dead letters and logs; they name fields, never what was in them."""
    with pytest.raises(WireError) as refused:
        decode(JOB_ID, as_bytes(body))
    assert str(refused.value)
    assert CANARY not in repr(refused.value)
    assert refused.value.__cause__ is None


def test_no_more_than_five_problems_are_listed() -> None:
    """An error stays a line that can be read."""
    with pytest.raises(WireError) as refused:
        decode(
            JOB_ID,
            as_bytes(
                {
                    "f": HANDLER,
                    "k": {
                        "context": {},
                        "rule": {},
                        "delivery": 1,
                        "external_identifier": 1,
                        "traceparent": 1,
                        "plugin_id": 1,
                    },
                }
            ),
        )
    assert str(refused.value).count(";") == 4


def test_neither_job_nor_body_shows_config_or_event() -> None:
    """A repr may land in a log: it says which job, not what is in it."""
    job = an_inline_job({"token": CANARY})
    with_config = a_job(rule={"handler": HANDLER, "config": CANARY})
    for shown in (job, with_config):
        body = decode(JOB_ID, encode(shown, signer=a_signer(), enqueued_ms=1))
        assert HANDLER in repr(body)
        assert CANARY not in repr(body)


def test_a_body_cannot_name_another_id_or_function() -> None:
    """Only the Redis key and f say which job this is."""
    body = a_body(id="other", handler="github#delete_release")
    job = decode(JOB_ID, as_bytes(body)).job
    assert (job.id, job.handler) == (JOB_ID, HANDLER)
