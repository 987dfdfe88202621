"""Holds and workers as rows of a table."""

from imbi_worker.cli.output import Cell
from imbi_worker.queue.inspection.replies import when
from imbi_worker.queue.inspection.views import HoldView, WorkerView

HOLD_HEADERS = ("SCOPE", "KIND", "PARKED", "UNTIL", "SINCE", "BY", "REASON")


def hold_row(hold: HoldView) -> tuple[Cell, ...]:
    kind = f"{hold.kind}, half open" if hold.is_half_open else hold.kind
    until = "paused" if hold.until is None else hold.until
    return (
        *(hold.scope, kind, f"{hold.parked:,}", until),
        *(hold.since, hold.actor, hold.reason),
    )


WORKER_HEADERS = ("WORKER", "STATE", "VERSION", "RUNNING", "STARTED", "SEEN", "PLUGINS")


def worker_row(worker: WorkerView) -> tuple[Cell, ...]:
    facts = worker.facts
    running, slots = facts.get("running", ""), facts.get("slots", "")
    return (
        worker.id,
        "alive" if worker.is_alive else "silent",
        facts.get("version", ""),
        f"{running} of {slots}" if slots else running,
        when(facts.get("started")),
        worker.seen,
        " ".join(worker.slugs),
    )
