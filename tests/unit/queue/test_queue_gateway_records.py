"""A record of the activity feed, from what the scripts have written down."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from imbi_sdk.attempt import (
    Dead,
    DeathReason,
    HandlerOutcome,
    Outcome,
    Skipped,
    Succeeded,
    handler_outcome,
)
from imbi_sdk.queue import EventRow, OutcomeRecord
from imbi_sdk.queue.outcomes import Entry, records_of
from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.settlement import settle

CANARY = "canary-4f1d-do-not-leak"
EVENT = {"type": "push", "payload": {"ref": "main"}}
ENTRY = Entry("1-0", "d-1", "p-1", 1, "digest-1")
EVENTS = {"d-1/digest-1": json.dumps(EVENT).encode()}


class Claimed:
    """As much of a claimed job as its ending asks for."""

    id, token, number = "j-1", "t", 1


def written(outcome: Outcome, duration: timedelta | None) -> dict[str, Any]:
    """What stands in the delivery after the worker has finished a job with *outcome*."""
    ending = settle(
        cast("ClaimedJob", Claimed()),
        outcome,
        duration=duration,
        worker="w",
        ended_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return {
        "handler": "github#sync",
        "ordinal": 0,
        "project": "p-1",
        "state": ending.kind,
        "status": ending.status,
        "reason": ending.reason,
        "error": ending.error,
        "duration": ending.duration_ms,
    }


def an_end(handler: str, ordinal: int, status: str = "succeeded") -> dict[str, Any]:
    end = written(Succeeded(), timedelta(seconds=1))
    return end | {"handler": handler, "ordinal": ordinal, "status": status}


def a_row(row: str, *jobs: str, digest: str = "digest-1", ran: Any = ()) -> dict[str, Any]:
    facts = {"row": {"id": row, "recorded_at": "2026-11-22T15:30:00.123Z"}, "ran": list(ran)}
    return {"id": row, "facts": json.dumps(facts), "digest": digest, "jobs": list(jobs)}


def records(
    *rows: dict[str, Any], entry: Entry = ENTRY, **ends: dict[str, Any] | None
) -> list[OutcomeRecord]:
    flat = [
        text for job, end in ends.items() for text in (job, "" if end is None else json.dumps(end))
    ]
    return list(records_of(entry, json.dumps(rows) if rows else "", flat, EVENTS))


ENDS = [
    Succeeded(),
    Skipped("nothing new"),
    Dead(DeathReason.PERMANENT_ERROR, "ValueError: no token"),
    Dead(DeathReason.INVALID_CONFIG, "invalid handler_config: a: missing", "skipped"),
    Dead(DeathReason.OUTCOME_UNKNOWN, "TimeoutError: it did not end", is_timeout=True),
    *(
        Dead(reason, f"{reason.value}: and why", "skipped")
        for reason in (DeathReason.HANDLER_NOT_RESOLVABLE, DeathReason.MISSING_CREDENTIALS)
    ),
]


@pytest.mark.parametrize("duration", [None, timedelta(milliseconds=1500)])
@pytest.mark.parametrize("outcome", ENDS, ids=repr)
def test_a_line_is_the_one_the_attempt_would_report(
    outcome: Outcome, duration: timedelta | None
) -> None:
    """Written down by the worker and read again by the gateway, it is the same line."""
    (record,) = records(a_row("r", "j"), j=written(outcome, duration))
    assert record.outcomes == (handler_outcome("github#sync", outcome, duration),)


def test_every_reason_to_die_reads_alike_on_both_ways() -> None:
    """None is added without its line in the feed."""
    for reason in DeathReason:
        for status in ("failed", "skipped"):
            dead = Dead(reason, f"{reason.value}: why", cast("Any", status))
            (record,) = records(a_row("r", "j"), j=written(dead, None))
            assert record.outcomes == (handler_outcome("github#sync", dead),), reason


def test_lines_stand_by_ordinal() -> None:
    """In whatever order the jobs are listed; those the gateway ran itself come first."""
    ran = {"handler": "z#first", "status": "failed", "error": "E: x"}
    (record,) = records(
        a_row("r", "b", "a", "c", ran=[ran]),
        a=an_end("github#a", 1),
        b=an_end("github#b", 2),
        c=an_end("sonar#c", 0),
    )
    handlers = [outcome.handler for outcome in record.outcomes]
    assert handlers == ["z#first", "sonar#c", "github#a", "github#b"]
    assert record.handlers()[0] == ran


def test_each_row_is_told_its_own_jobs() -> None:
    """A row whose event is gone has been told before, and is left out."""
    first, second = records(
        a_row("r-1", "a"),
        a_row("r-2", "b"),
        a_row("r-3", "a", digest="gone"),
        a=an_end("github#a", 0),
        b=an_end("github#b", 0),
    )
    assert first.event_row == EventRow.model_validate(
        {"id": "r-1", "recorded_at": datetime(2026, 11, 22, 15, 30, 0, 123000, tzinfo=UTC)}
    )
    assert [len(one.outcomes) for one in (first, second)] == [1, 1]


def test_a_job_nobody_remembers_is_left_out() -> None:
    """It has ended well, more than a day before there was a feed."""
    (record,) = records(a_row("r", "a", "b"), a=an_end("github#a", 0), b=None)
    assert [outcome.handler for outcome in record.outcomes] == ["github#a"]


def test_without_rows_there_is_a_record_and_no_row() -> None:
    """The text says what was not passed."""
    (record,) = records(a=an_end("github#a", 0))
    assert record.outcomes == (
        HandlerOutcome(handler="github#a", status="succeeded", duration_ms=1000),
    )
    with pytest.raises(ValueError, match="d-1 was enqueued without event_row"):
        record.row()


def test_a_bare_event_gives_a_complete_row() -> None:
    """Every column is there, whatever the event lacks."""
    (record,) = records(a_row("r", "a"), a=an_end("github#a", 0))
    row = record.row()
    assert list(row) == [
        "id",
        "project_id",
        "recorded_at",
        "type",
        "third_party_service",
        "attributed_to",
        "metadata",
        "payload",
        "version",
    ]
    assert row["metadata"]["headers"] == {}
    assert row["third_party_service"] == row["attributed_to"] == ""


def test_a_record_shows_no_event() -> None:
    """A payload may hold anything; it stands in no log by accident."""
    events = {"d-1/digest-1": json.dumps({"payload": CANARY}).encode()}
    (record,) = records_of(ENTRY, json.dumps([a_row("r")]), [], events)
    assert CANARY not in repr(record)
    assert record.event_context() == {"payload": CANARY}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T15:30:00", datetime(2026, 11, 22, 15, 30, tzinfo=UTC)),
        ("2026-11-22T16:30:00+01:00", datetime(2026, 11, 22, 15, 30, tzinfo=UTC)),
        (datetime(2026, 11, 22, 15, 30), datetime(2026, 11, 22, 15, 30, tzinfo=UTC)),  # noqa: DTZ001 - as a driver may give it
    ],
)
def test_a_moment_without_a_zone_is_utc(text: Any, moment: datetime) -> None:
    """As the column means it; nothing of it is lost on the way."""
    assert EventRow(id="r", recorded_at=text).recorded_at == moment
