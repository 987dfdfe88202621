"""The pages of deliveries: the list, and one as the matrix of its projects and rules."""

from collections import Counter
from collections.abc import Iterable

from imbi_worker.dashboard.asking import PAGE, Cursor, Id, Question
from imbi_worker.dashboard.markup import Content, tag
from imbi_worker.dashboard.pages import parts
from imbi_worker.dashboard.pages.frame import View
from imbi_worker.dashboard.pages.jobs import Refresh
from imbi_worker.operations.deliveries import Matrix, Row, list_deliveries, show_delivery
from imbi_worker.operations.wording import one_line


class DeliveriesQuestion(Question):
    cursor: Cursor = None
    refresh: Refresh = ""


class DeliveryQuestion(Question):
    delivery: Id
    refresh: Refresh = ""


async def show_list(view: View, asked: DeliveriesQuestion) -> tuple[str, Content]:
    found = await list_deliveries(view.desk.inspection, limit=PAGE, cursor=asked.cursor)
    rows = [
        (
            view.link(f"/deliveries/{one.id}", tag("code", one.id)),
            parts.when(one.received),
            len(one.jobs),
            one.open,
            [
                tag("span", parts.state(name), f" {count:,}", class_="count")
                for name, count in _counts(one.jobs.values())
            ],
        )
        for one in found.items
    ]
    headers = ("Delivery", "Received", "Jobs", "Open", "States")
    return "Deliveries", (
        parts.table("Deliveries", headers, rows, empty="There is none.", is_alone=True),
        parts.more(view, found),
    )


async def show_one(view: View, asked: DeliveryQuestion) -> tuple[str, Content]:
    """A row for each project, since a delivery may have a thousand of them."""
    found = await show_delivery(view.desk.inspection, asked.delivery)
    headers = ("Project", *(f"{row.ordinal} {row.handler}" for row in found.rows))
    rows = [
        (project, *(_cell(view, row, project) for row in found.rows)) for project in found.projects
    ]
    gone = ", ".join(f"{count:,} {name}" for name, count in _counts(found.unknown.values()))
    return "Delivery", (
        parts.facts(
            [
                ("delivery", tag("code", found.delivery)),
                ("received", parts.moment_of(found.received)),
                ("open", f"{found.open:,} of {_jobs(found):,} jobs"),
                ("no longer known", gone),
            ]
        ),
        parts.table(
            "Projects and rules",
            headers,
            rows,
            empty="None of its jobs is known.",
            is_matrix=True,
        ),
    )


def _cell(view: View, row: Row, project: str) -> Content:
    cell = row.cells.get(project)
    if cell is None:
        return None
    detail = tag("span", one_line(cell.detail), class_="detail") if cell.detail else None
    return view.link(f"/jobs/{cell.job}", parts.state(cell.state), class_="cell"), detail


def _counts(states: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(states).items())


def _jobs(found: Matrix) -> int:
    return len(found.unknown) + sum(len(row.cells) for row in found.rows)
