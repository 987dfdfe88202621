"""What an action logs is kept with its attempt."""

import io
from collections.abc import Iterator

import pytest
from room import Room

from imbi_worker.queue.inspection import Inspection
from logged import json_log


@pytest.fixture
def log(canary: str) -> Iterator[io.StringIO]:
    with json_log(canary) as out:
        yield out


async def test_each_attempt_keeps_the_lines_its_action_logged(
    room: Room, log: io.StringIO, canary: str
) -> None:
    """The failed ones and the one that succeeded; two jobs at once get their own."""
    enqueued = await room.enqueue({"label": "a", "fails": 1, "says": f"a {canary}"})
    other = await room.enqueue({"label": "b", "says": "b"}, delivery="d2", project="p2")
    async with room.worker():
        await room.until_ended(enqueued)
        await room.until_ended(other)
    inspection = Inspection(room.redis)
    stored = await inspection.stored(enqueued.jobs[0].id)
    assert stored is not None
    assert [(one.number, one.outcome) for one in stored.attempts] == [
        (1, "retry"),
        (2, "succeeded"),
    ]
    assert [[line.text for line in one.lines] for one in stored.attempts] == [
        ["a *** 1"],
        ["a *** 2"],
    ]
    assert {line.logger for one in stored.attempts for line in one.lines} == {"probe"}
    second = await inspection.stored(other.jobs[0].id)
    assert second is not None
    assert [line.text for one in second.attempts for line in one.lines] == ["b 1"]
    assert canary not in log.getvalue()


async def test_an_action_that_says_nothing_costs_no_record(room: Room, log: io.StringIO) -> None:
    """Most jobs succeed in silence, by the million."""
    enqueued = await room.enqueue({"label": "a"})
    async with room.worker():
        [job] = await room.until_ended(enqueued)
    assert [name for name in job if name.startswith("attempt:")] == []
