"""The first page: is it going well, what runs, what failed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from imbi_worker.dashboard.asking import Question
from imbi_worker.dashboard.markup import Content, Tag, tag
from imbi_worker.dashboard.pages import parts
from imbi_worker.dashboard.pages.frame import View
from imbi_worker.dashboard.pages.jobs import Refresh
from imbi_worker.operations.dead_letters import list_dead
from imbi_worker.operations.jobs import list_jobs
from imbi_worker.operations.queue import QueueReport, report
from imbi_worker.operations.wording import age, counted, reason
from imbi_worker.queue.inspection.listing import JobFilter
from imbi_worker.queue.inspection.views import JobView, State

_SHOWN: Final = 25
_ENDINGS: Final = ("succeeded", "skipped", "dead", "cancelled")


class OverviewQuestion(Question):
    refresh: Refresh = ""


async def show(view: View, _asked: OverviewQuestion) -> tuple[str, Content]:
    inspection = view.desk.inspection
    found = await report(inspection)
    running = await list_jobs(inspection, JobFilter(state=State.RUNNING), limit=_SHOWN)
    dead = await list_dead(inspection, JobFilter(), limit=10)
    return "Overview", (
        [tag("p", text, class_="warning", role="status") for text in _warnings(view, found)],
        _figures(view, found),
        _running(view, running.items, found),
        parts.table(
            "Died last",
            ("Job", "Handler", "Project", "Died", "Why"),
            [
                (
                    parts.short(view, one.job.id),
                    tag("code", one.job.handler),
                    one.job.project,
                    parts.when(one.died),
                    reason(one.job),
                )
                for one in dead.items
            ],
            empty="There is no dead letter.",
        ),
        _ended(found.stats.counters),
    )


def _warnings(view: View, found: QueueReport) -> Sequence[str]:
    told: list[str] = []
    if not found.stats.live_workers:
        told.append("No worker is alive: nothing runs. Start one with `imbi-worker run`.")
    for hold in found.holds:
        ends = f"until {age(hold.until)[3:]} from now" if hold.until else "until it is removed"
        by = f" by {hold.actor}" if hold.actor else ""
        why = f": {hold.reason}" if hold.reason else ""
        told.append(f"{hold.scope} is held {ends}{by}{why}. Parked: {hold.parked:,}.")
    if view.desk.plugins.errors:
        names = ", ".join(sorted(view.desk.plugins.errors))
        told.append(f"Plugins that are not loaded here: {names}.")
    return told


def _figures(view: View, found: QueueReport) -> Tag:
    stats = found.stats
    oldest = f"the oldest for {_span(found.oldest_due)}" if found.oldest_due is not None else ""
    figures = (
        ("due", stats.due, oldest, "/jobs?filter=state:waiting"),
        ("running", found.running, "", "/jobs?filter=state:running"),
        ("later", max(0, stats.scheduled - found.running), "until a retry, or put off", None),
        ("behind", max(0, stats.behind - found.parked), "another job of their lane", None),
        ("parked", found.parked, f"under {counted(stats.holds, 'hold')}", "/holds"),
        ("dead", stats.dead, "", "/dead"),
        ("workers", stats.live_workers, "alive", "/workers"),
    )
    cards = [
        tag("li", tag("a", *_card(name, count, note), href=f"{view.root}{path}"))
        if path
        else tag("li", *_card(name, count, note))
        for name, count, note, path in figures
    ]
    return tag("ul", cards, class_="figures")


def _card(name: str, count: int, note: str) -> tuple[Tag, Tag, Tag]:
    return (
        tag("strong", count),
        tag("span", name, class_="name"),
        tag("span", note, class_="note"),
    )


def _running(view: View, jobs: Sequence[JobView], found: QueueReport) -> Tag:
    rows = [
        (
            parts.short(view, job.id),
            tag("code", job.handler),
            job.project,
            job.attempts + 1,
            _elapsed(job.started, found.stats.at),
            job.worker,
        )
        for job in jobs
    ]
    headers = ("Job", "Handler", "Project", "Attempt", "For", "Worker")
    return parts.table("Running", headers, rows, empty="Nothing runs just now.")


def _elapsed(started: datetime | None, now: datetime) -> Content:
    return None if started is None else _span(max(timedelta(0), now - started))


def _ended(counters: Mapping[str, int]) -> Tag:
    by_handler: dict[str, dict[str, int]] = {}
    for name, count in counters.items():
        ending, _, handler = name.partition(":")
        if ending in _ENDINGS and handler:
            by_handler.setdefault(handler, {})[ending] = count
    rows: list[Sequence[Content]] = [
        (tag("code", handler), *(counts.get(one, 0) for one in _ENDINGS))
        for handler, counts in sorted(by_handler.items())
    ]
    headers = ("Handler", *(one.capitalize() for one in _ENDINGS))
    return parts.table("Ended so far", headers, rows, empty="Nothing has ended yet.")


def _span(span: timedelta) -> str:
    whole = int(span.total_seconds())
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole} s"
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} m" if hours else f"{minutes} m {seconds} s"
