"""A tracestate is passed on as W3C asks, or dropped; no job is ever refused for it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_factory import JOB_ID, a_body, as_bytes

from imbi_sdk.queue.tracestate import LIMIT, bounded
from imbi_sdk.queue.wire import decode, encode


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("rojo=00f067aa0ba902b7", "rojo=00f067aa0ba902b7"),
        ("rojo=1, congo=2 ,\tfoo=3", "rojo=1,congo=2,foo=3"),
        ("rojo=1,,congo=2,", "rojo=1,congo=2"),
        ("tenant@system=a b", "tenant@system=a b"),
        ("0=x", "0=x"),
        ("", None),
        (" , ", None),
        ("no equals sign", None),
        ("UPPER=1", None),
        ("rojo=a=b", None),
        ("rojo=\u00e9", None),
        ("rojo=\n", None),
        ("rojo=1,rojo=2", None),
        (",".join(f"k{n}=v" for n in range(32)), ",".join(f"k{n}=v" for n in range(32))),
        (",".join(f"k{n}=v" for n in range(33)), None),
        (None, None),
        (7, None),
        (["rojo=1"], None),
    ],
)
def test_what_is_well_formed_passes(text: object, passed: str | None) -> None:
    assert bounded(text) == passed


def test_what_is_too_long_loses_its_last_members() -> None:
    """Whole ones: a member cut in two would say something else."""
    members = [f"k{n}={'v' * 100}" for n in range(9)]
    kept = bounded(",".join(members))
    assert kept == ",".join(members[:4])
    assert len(kept) <= LIMIT
    just = f"a={'v' * 252},b={'v' * 255}"
    assert len(just) == LIMIT == 512
    assert bounded(just) == just
    assert bounded(f"{just}v") == f"a={'v' * 252}"
    assert bounded(f"k={'v' * 256}x") is None


@given(st.text() | st.from_regex(r"[a-z0-9@=, -]*", fullmatch=True))
def test_what_passed_passes_again(text: str) -> None:
    """And is never longer than the limit, nor holds anything but printable ASCII."""
    passed = bounded(text)
    assert bounded(passed) == passed
    assert passed is None or (len(passed) <= LIMIT and re.fullmatch(r"[ -~]+", passed))


@pytest.mark.parametrize("state", ["rojo=1", "UPPER=1", 7, ["rojo=1"], None, "k=" + "v" * 600])
def test_a_body_is_read_whatever_its_tracestate_is(state: object) -> None:
    """The job runs; what others made of the trace is no reason to bury it."""
    job = decode(JOB_ID, as_bytes(a_body(tracestate=state))).job
    assert job.tracestate == ("rojo=1" if state == "rojo=1" else None)
    body = json.loads(encode(job, signer=None, enqueued_ms=1))
    assert body["k"].get("tracestate") == job.tracestate
