"""The first page: is it going well, what runs, what failed."""

from collections.abc import Sequence
from typing import Final

from imbi_worker.dashboard.asking import Question
from imbi_worker.dashboard.markup import Content, Tag, tag
from imbi_worker.dashboard.pages import dead, parts
from imbi_worker.dashboard.pages.frame import View
from imbi_worker.dashboard.pages.jobs import Refresh
from imbi_worker.operations.status import PluginStatus, RunningJob, Status, status
from imbi_worker.operations.wording import counted, one_line, span
from imbi_worker.queue.inspection.views import HoldView

_SHOWN: Final = 25
_NEAR_ITS_END: Final = 0.8


class OverviewQuestion(Question):
    refresh: Refresh = ""


async def show(view: View, _asked: OverviewQuestion) -> tuple[str, Content]:
    found = await status(view.desk.inspection, limit=_SHOWN, timeout_of=view.desk.timeout_of)
    return "Overview", (
        [
            tag("p", parts.told(text), class_="warning", role="status")
            for text in _warnings(view, found)
        ],
        _figures(view, found),
        _running(view, found),
        _failures(view, found),
        _plugins(found),
    )


def _warnings(view: View, found: Status) -> Sequence[str]:
    told: list[str] = []
    if not found.stats.live_workers:
        told.append("No worker is alive: nothing runs. Start one with `imbi-worker run`.")
    told += [_held(hold) for hold in found.holds]
    if view.desk.plugins.errors:
        names = ", ".join(sorted(view.desk.plugins.errors))
        told.append(f"Plugins that are not loaded here: {names}.")
    return told


def _held(hold: HoldView) -> str:
    ends = f"until {parts.stamp(hold.until)}" if hold.until else "until it is removed"
    by = f" by {hold.actor}" if hold.actor else ""
    why = f": {hold.reason}" if hold.reason else ""
    return f"{hold.scope} is held {ends}{by}{why}. Parked: {hold.parked:,}."


def _figures(view: View, found: Status) -> Tag:
    stats = found.stats
    oldest = f"the oldest for {span(found.oldest_due)}" if found.oldest_due is not None else ""
    figures = (
        ("due", stats.due, oldest, "/jobs?filter=state:waiting"),
        ("running", found.running, "", "/jobs?filter=state:running"),
        ("later", max(0, stats.scheduled - found.running), "until a retry, or put off", None),
        ("behind", max(0, stats.behind - found.parked), "another job of their lane", None),
        ("parked", found.parked, f"under {counted(stats.holds, 'hold')}", "/holds"),
        ("dead", stats.dead, f"{found.failures.last_day:,} in the last day", "/dead"),
        ("workers", stats.live_workers, "alive", "/workers"),
    )
    cards = [
        tag("li", tag("a", _card(name, count, note), href=f"{view.root}{path}"))
        if path
        else tag("li", _card(name, count, note))
        for name, count, note, path in figures
    ]
    return tag("ul", cards, class_="figures")


def _card(name: str, count: int, note: str) -> Sequence[Tag]:
    return (
        tag("strong", count),
        tag("span", name, class_="name"),
        tag("span", note, class_="note"),
    )


def _running(view: View, found: Status) -> Content:
    rows = [
        (
            parts.short(view, job.job),
            tag("code", job.handler),
            job.project,
            job.attempt,
            _elapsed(job),
            tag("code", job.worker or ""),
            one_line(job.note),
        )
        for job in found.longest
    ]
    headers = ("Job", "Handler", "Project", "Attempt", "For, of its timeout", "Worker", "Note")
    left = found.running - len(found.longest)
    return (
        parts.table("Running", headers, rows, empty="Nothing runs just now."),
        tag("p", f"{left:,} more run, for less long.", class_="note") if left > 0 else None,
    )


def _elapsed(job: RunningJob) -> Content:
    if job.elapsed is None:
        return None
    if not job.timeout:
        return span(job.elapsed)
    share = job.elapsed / job.timeout
    text = f"{span(job.elapsed)} of {span(job.timeout)}"
    bar = tag("meter", text, value=f"{min(share, 1):.3f}", high=str(_NEAR_ITS_END), title=text)
    return bar, tag("span", text, class_="elapsed")


def _failures(view: View, found: Status) -> Tag:
    rows = [dead.group_row(view, group) for group in found.failures.groups]
    caption = "Died in the last day"
    if found.failures.last_day > found.failures.looked_at:
        caption += f": the last {found.failures.looked_at:,} of {found.failures.last_day:,}"
    return parts.table(caption, dead.GROUPS, rows, empty="Nothing has died in the last day.")


def _plugins(found: Status) -> Tag:
    alive = found.stats.live_workers
    headers = ("Plugin", "Workers", "Succeeded", "Skipped", "Dead", "Cancelled")
    rows = [_plugin(one, alive) for one in found.plugins]
    return parts.table("Plugins, since the queue began", headers, rows, empty="There is none.")


def _plugin(one: PluginStatus, alive: int) -> Sequence[Content]:
    on = f"{one.workers} of {alive}"
    return (tag("code", one.slug), on, one.succeeded, one.skipped, one.dead, one.cancelled)
