"""The attempts of a job, as its hash keeps them: a record for each that did not succeed."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from imbi_worker.queue.inspection.replies import number, when
from imbi_worker.queue.inspection.views import AttemptView, LogLine, State

_ATTEMPT = "attempt:"


def attempts(facts: Mapping[str, str]) -> tuple[AttemptView, ...]:
    """Every attempt that the hash *facts* tells of, oldest first."""
    found = [
        _attempt(name.removeprefix(_ATTEMPT), record)
        for name, record in facts.items()
        if name.startswith(_ATTEMPT)
    ]
    if facts.get("state") == State.SUCCEEDED:
        success = _success(facts)
        # One that warned has a record of its own.
        if not any((one.run, one.number) == (success.run, success.number) for one in found):
            found.append(success)
    return tuple(sorted(found, key=lambda attempt: (attempt.run, attempt.number)))


def _success(facts: Mapping[str, str]) -> AttemptView:
    """A success leaves no record of its own: the hash holds what it would say."""
    duration = facts.get("duration_ms", "")
    return AttemptView(
        run=number(facts.get("run")) or 1,
        number=number(facts.get("attempts")),
        outcome="succeeded",
        worker=facts.get("worker"),
        started=None,
        ended=when(facts.get("ended")),
        duration=timedelta(milliseconds=number(duration)) if duration else None,
    )


def _error(told: Mapping[str, Any]) -> str:
    """What went wrong, and what a worker that was replaced said of it when nobody listened."""
    error = str(told.get("error") or "")
    if not told.get("stale"):
        return error
    said = f"; its worker came back and said {told['stale']}, which no longer counted"
    late = told.get("stale_error")
    return f"{error}{said}: {late}" if late else f"{error}{said}"


def _attempt(place: str, record: str) -> AttemptView:
    run, _, nth = place.partition(".")
    try:
        told = json.loads(record)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return AttemptView(number(run), number(nth), "unreadable", None, None, None, None)
    duration, pause = told.get("duration_ms"), told.get("retry_in_ms")
    return AttemptView(
        run=number(run),
        number=number(nth),
        outcome=str(told.get("outcome", "")),
        worker=told.get("worker"),
        started=when(str(told.get("started") or "")),
        ended=when(str(told.get("ended") or "")),
        duration=None if duration is None else timedelta(milliseconds=duration),
        error=_error(told),
        retry_in=None if pause is None else timedelta(milliseconds=pause),
        lines=_lines(told.get("lines")),
        lines_left_out=number(str(told.get("lines_left_out") or "")),
    )


def _lines(found: Any) -> tuple[LogLine, ...]:
    if not isinstance(found, list):
        return ()
    return tuple(
        LogLine(when(str(line[0])), str(line[1]), str(line[2]), str(line[3]))
        for line in found
        if isinstance(line, list) and len(line) == 4  # noqa: PLR2004 - as it was written
    )
