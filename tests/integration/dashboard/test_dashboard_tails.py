"""Streams: what comes, going on, and how many there may be."""

import json
from contextlib import ExitStack
from http.client import HTTPResponse
from typing import Any

from board import Board

from imbi_worker.dashboard.tails import AT_ONCE
from integration.cli.station import Station

JOBS, AUDIT = "/api/v1/jobs/tail", "/api/v1/audit/tail"


def begun(response: HTTPResponse) -> HTTPResponse:
    """The stream says at once that it is there."""
    assert response.status == 200
    assert response.getheader("content-type", "").startswith("text/event-stream")
    assert response.readline() == b"retry: 2000\n"
    assert response.readline() == b"\n"
    return response


def event(response: HTTPResponse) -> tuple[str, Any]:
    """The next event: its id and its data."""
    while (line := response.readline()).startswith((b":", b"\n")):
        assert line
    place = line.decode().removeprefix("id: ").strip()
    data = response.readline().decode().removeprefix("data: ")
    return place, json.loads(data)


def test_jobs_are_told_as_they_end(board: Board, station: Station) -> None:
    """Those that the filter names; who comes back with the last id has missed nothing."""
    with board.tail(f"{JOBS}?filter=plugin:github") as response:
        begun(response)
        (first,) = station.enqueue("github#sync")
        station.enqueue("demo#work", delivery="d-2")
        station.bury()
        place, job = event(response)
        assert (job["id"], job["state"]) == (first, "dead")
    (second,) = station.enqueue("github#sync", delivery="d-3", projects=["p-3"])
    station.succeed()
    with board.tail(f"{JOBS}?filter=plugin:github", **{"Last-Event-ID": place}) as response:
        assert event(begun(response))[1]["id"] == second


def test_changes_are_told_as_they_are_made(board: Board) -> None:
    """Also those of this very dashboard."""
    with board.tail(AUDIT) as response:
        begun(response)
        board.post("/api/v1/queue/pause", {"reason": "a look"})
        _, entry = event(response)
        assert (entry["verb"], entry["reason"]) == ("hold", "a look")


def test_only_so_many_tails_are_open_at_once(board: Board) -> None:
    """One more is told to come back; when one goes, another may come. Pages answer all the time."""
    with ExitStack() as stack:
        for _ in range(AT_ONCE - 1):
            begun(stack.enter_context(board.tail(AUDIT)))
        with board.tail(JOBS) as last:
            begun(last)
            answer = board.get(AUDIT)
            assert (answer.status, answer.json["type"]) == (429, "/problems/too-many-tails")
            assert answer.headers["retry-after"]
            assert board.get("/api/v1/status").status == 200
        # A tail is known to be gone when the next thing is sent to it.
        assert is_open_again(board)


def is_open_again(board: Board) -> bool:
    """Whether a tail can be opened; what was changed is sent to those that have gone."""
    for nth in range(200):
        board.post("/api/v1/queue/pause", {"reason": f"{nth}"})
        with board.tail(JOBS) as response:
            if response.status == 200:
                return True
    return False


def test_a_stream_that_cannot_begin_is_a_problem(board: Board) -> None:
    """Before anything is sent."""
    assert board.get(f"{JOBS}?filter=sttae:x").status == 400
    assert board.get(f"{JOBS}?cursor=x").status == 400
    with board.tail(AUDIT, **{"Last-Event-ID": "yesterday"}) as response:
        assert response.status == 400
