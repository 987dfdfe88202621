"""What the activity feed is told: a delivery's outcomes for one project, when all have ended."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from imbi_sdk.attempt.outcome import DeathReason
from imbi_sdk.attempt.report import HandlerOutcome
from imbi_sdk.queue.json_text import load
from imbi_sdk.queue.rows import FIRST_VERSION, LAST_VERSION, EventRow, StoredRow

# The feed has always read these two bare; dead letters show the whole text.
_BARE: Final = frozenset(
    {DeathReason.HANDLER_NOT_RESOLVABLE.value, DeathReason.MISSING_CREDENTIALS.value}
)


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """All rules of one delivery for one project have ended.

    *outcomes* are those the gateway said it had run itself, then the jobs' by ordinal.
    After a replay the record comes again with the new ends and a higher *version*; it
    may come twice with the same one. *event* is the event context as it was enqueued.
    """

    entry: str
    delivery: str
    project_id: str
    event_row: EventRow | None
    version: int
    event: bytes = field(repr=False)
    outcomes: tuple[HandlerOutcome, ...]

    def event_context(self) -> dict[str, Any]:
        return load(self.event)

    def handlers(self) -> list[dict[str, Any]]:
        """The outcomes as the feed stores them: what is None is left out."""
        return [outcome.model_dump(exclude_none=True) for outcome in self.outcomes]

    def row(self) -> dict[str, Any]:
        """The complete row, by the names of the columns of Imbi's ``events``.

        The table keeps the row with the highest version, and it keeps it whole: every
        column stands here again.

        :raises ValueError: the delivery was enqueued without *event_row*
        """
        if self.event_row is None:
            raise ValueError(
                f"delivery {self.delivery} was enqueued without event_row: there is no row to write"
            )
        event = self.event_context()
        metadata = cast("dict[str, Any]", event.get("metadata") or {})
        return {
            "id": self.event_row.id,
            "project_id": self.project_id,
            "recorded_at": self.event_row.recorded_at,
            "type": "webhook",
            "third_party_service": event.get("third_party_service") or "",
            "attributed_to": event.get("attributed_to") or "",
            "metadata": {
                "webhook_id": metadata.get("webhook_id"),
                "headers": metadata.get("headers") or {},
                "event_type": event.get("type") or "",
                "handlers": self.handlers(),
            },
            "payload": event.get("payload") or {},
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the feed's stream."""

    id: str
    delivery: str
    project: str
    version: int
    digests: str


def records_of(
    entry: Entry, rows: str, ends: Sequence[str], events: Mapping[str, bytes]
) -> Iterator[OutcomeRecord]:
    """A record for each row of *entry* whose event is stored, or one if there are no rows.

    *rows* is JSON as the enqueue script wrote it, *ends* job ids and their last ends in
    turn, *events* by delivery and digest.
    """
    by_job = {
        job: cast("dict[str, Any]", json.loads(text))
        for job, text in zip(ends[::2], ends[1::2], strict=True)
        if text
    }
    version = min(FIRST_VERSION - 1 + entry.version, LAST_VERSION)

    def record(
        row: EventRow | None, digest: str, ran: Sequence[HandlerOutcome], jobs: Sequence[str]
    ) -> Iterator[OutcomeRecord]:
        event = events.get(f"{entry.delivery}/{digest}")
        if event:
            found = sorted((by_job[job] for job in jobs if job in by_job), key=_ordinal)
            outcomes = (*ran, *(_outcome(end) for end in found))
            yield OutcomeRecord(
                entry.id, entry.delivery, entry.project, row, version, event, outcomes
            )

    if not rows:
        yield from record(None, entry.digests.partition(" ")[0], (), list(by_job))
        return
    for stored in json.loads(rows):
        given = StoredRow.model_validate_json(stored["facts"])
        yield from record(given.row, stored["digest"], given.ran, stored["jobs"])


def _ordinal(end: Mapping[str, Any]) -> int:
    return int(end["ordinal"])


def _outcome(end: Mapping[str, Any]) -> HandlerOutcome:
    """As `imbi_sdk.attempt.handler_outcome`, from what the worker wrote down."""
    state, status, reason = end["state"], end["status"], end["reason"]
    if state in {"skipped", "cancelled"} or (status == "skipped" and reason in _BARE):
        error = reason
    else:
        error = end["error"]
    return HandlerOutcome(
        handler=end["handler"],
        status=status,
        error=error or None,
        duration_ms=int(end["duration"]) if end["duration"] else None,
    )
