"""The screen of `status`, as lines of data on a terminal."""

from collections.abc import Sequence
from datetime import timedelta

from imbi_worker.cli.groups import GROUP_HEADERS, group_rows
from imbi_worker.cli.output import Output, age, counted, one_line
from imbi_worker.cli.rows import HOLD_HEADERS, WORKER_HEADERS, hold_row, worker_row
from imbi_worker.operations.status import PluginStatus, RunningJob, SlowLane, Status
from imbi_worker.operations.wording import span as span

_BAR = 10
_RUNNING = ("HANDLER", "PROJECT", "ATTEMPT", "ELAPSED", "OF ITS TIMEOUT", "WORKER", "JOB", "NOTE")


def show_status(found: Status, output: Output) -> None:
    """Figures, then what runs, what failed, what is held, plugins and workers."""
    output.prose(_figures(found))
    if not found.stats.live_workers:
        output.prose("No worker is alive: start one with `imbi-worker run`.")
    _running(found, output)
    if found.slowest_lane is not None:
        output.prose(_lane(found.slowest_lane))
    _failures(found, output)
    if found.holds:
        output.heading("Holds")
        output.table(HOLD_HEADERS, [hold_row(one) for one in found.holds])
    if found.plugins:
        output.heading("Plugins")
        headers = ("PLUGIN", "WORKERS", "SUCCEEDED", "SKIPPED", "DEAD", "CANCELLED")
        alive = sum(worker.is_alive for worker in found.workers)
        output.table(headers, [_plugin_row(one, alive) for one in found.plugins])
    if found.workers:
        output.heading("Workers")
        output.table(WORKER_HEADERS, [worker_row(one) for one in found.workers])


def _lane(lane: SlowLane) -> str:
    behind = f"{counted(lane.waiting, 'job')} behind {lane.head} ({lane.handler})"
    told = f"The longest wait, {span(lane.waited)}, is in lane {lane.lane}: {behind}."
    return f"{told} See: imbi-worker jobs why {lane.head}"


def _figures(found: Status) -> str:
    stats = found.stats
    oldest = f" (oldest {span(found.oldest_due)})" if found.oldest_due is not None else ""
    later = max(0, stats.scheduled - found.running)
    parts = [
        f"due {stats.due:,}{oldest}",
        f"running {found.running:,}",
        f"later {later:,}",
        f"behind {max(0, stats.behind - found.parked):,}",
        f"parked {found.parked:,}",
        f"dead {stats.dead:,}",
        f"workers {stats.live_workers:,}",
    ]
    return f"{found.queue}: {', '.join(parts)}"


def _running(found: Status, output: Output) -> None:
    if not found.longest:
        return
    output.heading("Running")
    output.table(_RUNNING, [_running_row(one) for one in found.longest])
    if found.running > len(found.longest):
        output.say(f"… {found.running - len(found.longest):,} more run, for less long.")


def _running_row(job: RunningJob) -> tuple[str, ...]:
    return (
        job.handler,
        job.project,
        str(job.attempt),
        span(job.elapsed),
        _share(job.elapsed, job.timeout),
        job.worker or "",
        job.job,
        one_line(job.note),
    )


def _share(elapsed: timedelta | None, timeout: timedelta | None) -> str:
    """How much of its time a job has used, as a bar and in words."""
    if elapsed is None or not timeout:
        return ""
    share = elapsed / timeout
    filled = min(_BAR, round(share * _BAR))
    return f"{'█' * filled}{'·' * (_BAR - filled)} {share:.0%} of {span(timeout)}"


def _failures(found: Status, output: Output) -> None:
    failures = found.failures
    if not failures.dead:
        return
    output.heading("Dead letters")
    output.prose(f"{failures.dead:,} are kept, {failures.last_day:,} of them died within a day.")
    if failures.groups:
        output.table(GROUP_HEADERS, group_rows(failures.groups[:5]))
    if failures.last_day > failures.looked_at:
        output.say(f"Groups of the last {failures.looked_at:,}; see all with `dead groups`.")


def _plugin_row(plugin: PluginStatus, alive: int) -> tuple[str, ...]:
    counts: Sequence[int] = (plugin.succeeded, plugin.skipped, plugin.dead, plugin.cancelled)
    on = f"{plugin.workers} of {alive}" if plugin.workers or alive else "none"
    if not plugin.workers and plugin.offered is not None:
        on = f"none, last {age(plugin.offered)}"
    return (plugin.slug, on, *(f"{count:,}" for count in counts))
