"""The log lines of real attempts: their fields, whoever writes them."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from room import Room
from watched import watched

from imbi_sdk.queue import keys
from imbi_worker.observability import AttemptTraces
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.kept_lines import KEPT
from imbi_worker.queue.telling import END_FIELDS, FIELDS
from logged import json_log
from spans import Spans

ALWAYS = {"timestamp", "level", "event", "logger", "service", "version"}


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    with json_log() as out:
        yield out


def lines(out: io.StringIO, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    return [line for line in found if line["event"] == event]


async def test_an_end_tells_all_that_is_known_of_its_attempt(
    room: Room, out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each field once, with its own value; an error also its kind, a retry its moment."""
    spans = Spans(monkeypatch)
    traces = AttemptTraces(spans.tracer, queue=keys.QUEUE)
    async with watched(room, traces=traces):
        enqueued = await room.enqueue({"label": "a", "fails": 1}, webhook="webhook-7")
        await room.until_ended(enqueued)
    (failed,) = lines(out, "job.attempt.retry_scheduled")
    (done,) = lines(out, "job.attempt.succeeded")
    job = enqueued.jobs[0]
    for number, line in enumerate((failed, done), 1):
        expected = {
            "job_id": job.id,
            "delivery_id": "d1",
            "webhook_id": "webhook-7",
            "handler": "probe#act",
            "plugin": "probe",
            "action": "act",
            "org_slug": "o",
            "project_id": "p1",
            "project_slug": "p1",
            "attempt": number,
            "max_attempts": 8,
            "service": "imbi-worker",
            "logger": "imbi_worker.queue",
            "level": "info",
        }
        assert {name: line[name] for name in expected} == expected
        # This plugin has no credentials, so there is no integration.
        missing = {*FIELDS, *ALWAYS} - {*line}
        assert missing == {"integration"}
        assert line["queue_wait_ms"] >= 0
        assert line["duration_ms"] >= 0
    assert (done["outcome"], {*done} - {*ALWAYS, *FIELDS}) == (
        "succeeded",
        {"outcome", "duration_ms"},
    )
    assert (failed["outcome"], failed["error_class"]) == ("retry", "transient")
    assert failed["error"] == "UpstreamError: answered 503"
    assert failed["next_retry_at"].endswith("Z")
    assert {*failed} - {*ALWAYS, *FIELDS} <= {*END_FIELDS}


async def test_a_death_is_a_warning_that_says_where_to_look(room: Room, out: io.StringIO) -> None:
    """With why, of which kind, and the command."""
    async with room.worker():
        enqueued = await room.enqueue({"does": "permanent"})
        await room.until_ended(enqueued)
    (line,) = lines(out, "job.attempt.dead")
    assert (line["level"], line["error_class"], line["reason"]) == (
        "warning",
        "permanent",
        "permanent error",
    )
    assert line["hint"] == f"imbi-worker dead show {enqueued.jobs[0].id}"


async def test_ten_thousand_lines_of_one_action_are_kept_short(
    room: Room, out: io.StringIO
) -> None:
    """All are in the log; the record of the attempt has the last ones, and the job its size."""
    wish = {"label": "a", "says": "x" * 1_000, "times": 10_000, "does": "permanent"}
    enqueued = await room.enqueue(wish)
    async with room.worker():
        [job] = await room.until_ended(enqueued, within=90)
    written = [line for line in out.getvalue().splitlines() if '"logger":"probe"' in line]
    assert len(written) == 10_000
    stored = await Inspection(room.redis).stored(enqueued.jobs[0].id)
    assert stored is not None
    (attempt,) = stored.attempts
    assert (len(attempt.lines), attempt.lines_left_out) == (KEPT, 10_000 - KEPT)
    assert sum(len(name) + len(value) for name, value in job.items()) < 16_384
