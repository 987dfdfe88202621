"""How jobs and their attempts look on a terminal."""

import json
from collections.abc import Sequence
from datetime import timedelta

from imbi_worker.cli.output import Cell, Output, one_line, stamp
from imbi_worker.operations.jobs import JobReport
from imbi_worker.operations.wording import reason as reason
from imbi_worker.queue.inspection.views import AttemptView, JobView

JOB_HEADERS = ("ID", "STATE", "HANDLER", "PROJECT", "ATTEMPTS", "WHEN", "WHY")


def job_row(job: JobView) -> tuple[Cell, ...]:
    since = job.ended if job.state.is_terminal else job.enqueued
    handler = job.handler or "(not taken in yet)"
    return (job.id, job.state, handler, job.project, str(job.attempts), since, reason(job))


def show_report(report: JobReport, output: Output, *, with_event: bool) -> None:
    """A job with all that is known of it."""
    output.facts(_facts(report.job))
    if report.attempts:
        output.heading("Attempts")
        _attempts(report.attempts, output)
        _lines(report.attempts, output)
    if report.context:
        output.heading("Context")
        output.facts((name, str(value)) for name, value in report.context.items())
    if report.config is not None:
        output.heading("Config")
        output.text(json.dumps(report.config, indent=2, ensure_ascii=False))
    if with_event and report.event is not None:
        output.heading("Event")
        output.text(json.dumps(report.event, indent=2, ensure_ascii=False))
    for note in report.notes:
        output.say(note)


def _facts(job: JobView) -> Sequence[tuple[str, Cell]]:
    return (
        ("job", job.id),
        ("state", job.state),
        ("why", reason(job)),
        ("handler", job.handler),
        ("project", job.project),
        ("plugin id", job.plugin_id or ""),
        ("delivery", job.delivery),
        ("lane", job.lane),
        ("attempts", f"{job.attempts} in run {job.run}"),
        ("crashes", str(job.crashes or "")),
        ("reported as", job.reported_as),
        ("enqueued", job.enqueued),
        ("started", job.started),
        ("ended", job.ended),
        ("worker", job.worker or ""),
        ("replayed by", job.replayed_by or ""),
        ("cancelled by", job.cancelled_by or ""),
    )


def _attempts(attempts: Sequence[AttemptView], output: Output) -> None:
    rows = [
        (
            f"{one.run}.{one.number}",
            one.outcome,
            one.ended,
            _span(one.duration),
            _span(one.retry_in),
            one.worker or "",
            one_line(one.error),
        )
        for one in attempts
    ]
    output.table(("RUN.NO", "OUTCOME", "ENDED", "TOOK", "RETRY IN", "WORKER", "ERROR"), rows)


def _lines(attempts: Sequence[AttemptView], output: Output) -> None:
    for one in attempts:
        if not one.lines:
            continue
        output.heading(f"Log of attempt {one.run}.{one.number}")
        if one.lines_left_out:
            output.prose(f"… {one.lines_left_out:,} earlier lines were not kept.")
        for line in one.lines:
            parts = (stamp(line.at), line.level, line.logger, line.text)
            output.prose("  ".join(part for part in parts if part))


def _span(duration: timedelta | None) -> str:
    return "" if duration is None else f"{duration.total_seconds():.3f}s"
