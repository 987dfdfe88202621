"""Deliveries: lists of them, and one as its matrix of rules and projects."""

from dataclasses import dataclass
from datetime import datetime

from imbi_worker.operations.errors import NotFound, cursor_errors, operation_errors
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.listing import Listing
from imbi_worker.queue.inspection.views import DeliveryView, JobView, Page

_NO_DELIVERY = "See `imbi-worker deliveries list`; a delivery is kept 7 days after its last need."
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Cell:
    """One job of the matrix: where it stands, and why in one line."""

    job: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: *cells* by project id. An *ordinal* of None is not known any more."""

    handler: str
    ordinal: int | None
    cells: dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A delivery's rules, in their order, by its projects. *unknown* jobs left only a state."""

    delivery: str
    received: datetime | None
    open: int
    projects: tuple[str, ...]
    rows: tuple[Row, ...]
    unknown: dict[str, str]


async def list_deliveries(
    inspection: Inspection, *, limit: int, cursor: str | None = None
) -> Page[DeliveryView]:
    """A page of deliveries, newest first.

    :raises InvalidInput: *cursor* is from another list
    """
    with operation_errors(), cursor_errors():
        return await Listing(inspection).deliveries(limit=limit, cursor=cursor)


async def show_delivery(inspection: Inspection, delivery: str) -> Matrix:
    """The matrix of one delivery.

    :raises NotFound: there is no such delivery, or no longer
    """
    with operation_errors():
        record = await inspection.delivery(delivery)
        if record is None:
            raise NotFound(f"There is no delivery {delivery!r}.", _NO_DELIVERY)
        ids = list(record.jobs)
        views: dict[str, JobView] = {}
        for start in range(0, len(ids), _CHUNK):
            views |= await inspection.jobs(ids[start : start + _CHUNK])
    return Matrix(
        delivery=delivery,
        received=record.received,
        open=record.open,
        projects=tuple(sorted({view.project for view in views.values()})),
        rows=_rows(list(views.values())),
        unknown={job: state for job, state in record.jobs.items() if job not in views},
    )


def _rows(views: list[JobView]) -> tuple[Row, ...]:
    rows: dict[tuple[int, str, int], Row] = {}
    taken: dict[tuple[int, str, str], int] = {}
    for view in sorted(views, key=lambda job: (job.ordinal, job.handler, job.seq)):
        # A handler may stand in several rules of one ordinal.
        place = (view.ordinal, view.handler, view.project)
        nth = taken[place] = taken.get(place, -1) + 1
        row = rows.setdefault(
            (view.ordinal, view.handler, nth), Row(view.handler, view.ordinal, {})
        )
        row.cells[view.project] = Cell(view.id, view.state, _detail(view))
    return tuple(rows.values())


def _detail(view: JobView) -> str:
    if view.wait is not None:
        return view.wait.text
    return view.error or view.reason
