"""The pages that are lists: dead letters, holds, workers, plugins, the audit."""

from collections.abc import Mapping
from typing import Final

from imbi_worker.dashboard.asking import Question
from imbi_worker.dashboard.markup import Content, tag
from imbi_worker.dashboard.pages import parts
from imbi_worker.dashboard.pages.frame import View
from imbi_worker.dashboard.pages.jobs import Refresh
from imbi_worker.operations.audit import newest
from imbi_worker.operations.errors import operation_errors
from imbi_worker.operations.holds import list_holds
from imbi_worker.operations.plugins import overview
from imbi_worker.queue.inspection.replies import when

_AUDIT_SHOWN: Final = 100


class PlainQuestion(Question):
    refresh: Refresh = ""


async def show_holds(view: View, _asked: PlainQuestion) -> tuple[str, Content]:
    rows = [
        (
            tag("code", one.scope),
            f"{one.kind}, half open" if one.is_half_open else one.kind,
            one.parked,
            parts.when(one.until) or "until removed",
            parts.when(one.since),
            one.actor,
            one.reason,
        )
        for one in await list_holds(view.desk.inspection)
    ]
    headers = ("Scope", "Kind", "Parked", "Ends", "Since", "By", "Reason")
    return "Holds", (
        parts.table("Holds", headers, rows, empty="Nothing is held.", is_alone=True),
        parts.commands(
            "queue pause --reason '...'",
            "holds add plugin:ID --for 1h --reason '...'",
            "holds remove SCOPE --reason '...'",
        ),
    )


async def show_workers(view: View, _asked: PlainQuestion) -> tuple[str, Content]:
    with operation_errors():
        found = await view.desk.inspection.workers()
    rows = [
        (
            tag("code", one.id),
            parts.state("alive" if one.is_alive else "silent"),
            parts.when(one.seen),
            one.facts.get("version"),
            _running_of(one.facts),
            parts.when(when(one.facts.get("started"))),
            one.facts.get("host"),
            ", ".join(one.slugs),
        )
        for one in found
    ]
    headers = ("Worker", "State", "Seen", "Version", "Running", "Started", "Host", "Plugins")
    return "Workers", parts.table(
        "Workers", headers, rows, empty="No worker has been heard of.", is_alone=True
    )


async def show_plugins(view: View, _asked: PlainQuestion) -> tuple[str, Content]:
    rows = [
        (
            tag("code", one.name),
            parts.state(one.status),
            one.version,
            one.package,
            ", ".join(one.actions),
            one.detail,
        )
        for one in overview(view.desk.plugins)
    ]
    headers = ("Plugin", "State", "Version", "Package", "Actions", "Detail")
    return "Plugins", (
        tag("p", "As installed next to this dashboard; what workers have stands under Workers."),
        parts.table("Plugins", headers, rows, empty="None is installed here.", is_alone=True),
    )


async def show_audit(view: View, _asked: PlainQuestion) -> tuple[str, Content]:
    found = await newest(view.desk.inspection, limit=_AUDIT_SHOWN)
    rows = [
        (parts.when(one.at), one.actor, one.verb, tag("code", one.scope), one.count, one.reason)
        for one in reversed(found)
    ]
    headers = ("When", "Who", "What", "Scope", "Jobs", "Why")
    return "Audit", parts.table(
        "Audit", headers, rows, empty="Nobody has changed anything yet.", is_alone=True
    )


def _running_of(facts: Mapping[str, str]) -> str:
    running, slots = facts.get("running", ""), facts.get("slots", "")
    return f"{running} of {slots}" if slots else running
