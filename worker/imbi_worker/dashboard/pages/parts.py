"""What pages are made of: tables, facts, states, moments, commands to copy."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from imbi_worker.dashboard.markup import Content, Tag, tag
from imbi_worker.dashboard.pages.frame import View
from imbi_worker.operations.json_form import moment
from imbi_worker.operations.wording import age, counted
from imbi_worker.queue.inspection.views import Page

# A sign beside the colour, which not everybody sees.
_SIGNS: Final = {
    "succeeded": "✓",
    "skipped": "-",
    "dead": "✗",
    "cancelled": "⊘",
    "running": "▶",
    "waiting": "…",
    "ok": "✓",
    "loaded": "✓",
    "error": "✗",
    "alive": "✓",
    "silent": "✗",
}
_SHORT: Final = 10


def table(
    caption: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[Content]],
    *,
    empty: str,
    is_alone: bool = False,
    is_matrix: bool = False,
) -> Tag:
    """A table; *empty* is said where there are no rows.

    On a narrow screen each row stands as a block, with its headers in it; those of a matrix
    are long. One that *is_alone* on its page has the page's heading.
    """
    heading = None if is_alone else tag("h2", caption)
    body = [
        tag("tr", [_cell(name, one) for name, one in zip(headers, row, strict=True)])
        for row in rows
    ]
    if not body:
        return tag("section", heading, tag("p", empty, class_="empty"))
    kind = "matrix" if is_matrix else None
    head = tag("thead", tag("tr", [tag("th", one, scope="col") for one in headers]))
    content = tag("table", head, tag("tbody", body), aria_label=caption, class_=kind)
    return tag("section", heading, tag("div", content, class_="scrolls", tabindex="0"))


def _cell(header: str, content: Content) -> Tag:
    is_empty = content is None or content == ""
    return tag("td", content, data_label=header, class_="none" if is_empty else None)


def facts(pairs: Iterable[tuple[str, Content]]) -> Tag:
    """Names and values; those without a value are left out."""
    shown = [pair for pair in pairs if pair[1] is not None and pair[1] != ""]
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in shown])


def state(name: str) -> Tag:
    sign = _SIGNS.get(name, "")
    return tag("span", tag("span", sign, aria_hidden="true"), f" {name}", class_=f"state {name}")


def when(at: datetime | None) -> Tag | None:
    """How long ago, with the moment itself to point at."""
    return None if at is None else tag("time", age(at), datetime=moment(at), title=moment(at))


def stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def moment_of(at: datetime | None) -> Content:
    """The moment, and how long ago that is: for a page that has room for both."""
    if at is None:
        return None
    return tag("time", stamp(at), datetime=moment(at)), tag("span", f" ({age(at)})", class_="note")


def told(text: str) -> Content:
    """A sentence, with what stands between backticks as code."""
    pieces = text.split("`")
    return [tag("code", one) if nth % 2 else one for nth, one in enumerate(pieces)]


def short(view: View, job: str, *, below: str = "/jobs") -> Tag:
    """A job's id, cut: the link leads to the whole of it."""
    shown = job if len(job) <= _SHORT else f"{job[:_SHORT]}…"
    return view.link(f"{below}/{job}", tag("code", shown), title=job)


def seconds(span: timedelta | None) -> str:
    return "" if span is None else f"{span.total_seconds():.3f} s"


def source(value: Any) -> Tag:
    """A JSON value, as it reads best."""
    return tag("pre", json.dumps(value, indent=2, ensure_ascii=False))


def commands(*lines: str) -> Tag:
    """What to type: pages only show."""
    text = "\n".join(f"imbi-worker {line}" for line in lines)
    return tag("section", tag("h2", "To change it"), tag("pre", text, class_="commands"))


def search(wanted: str, *, action: str | None = None) -> Tag:
    """The filter, asked for at *action*; without it at the page's own address."""
    field = tag(
        "input",
        type="search",
        name="filter",
        value=wanted,
        id="filter",
        maxlength="1000",
        placeholder="state:dead plugin:github error:timeout age>1h",
        autocapitalize="none",
        spellcheck="false",
    )
    label = tag("label", "Filter", for_="filter")
    button = tag("button", "Show")
    return tag("form", label, field, button, method="get", role="search", action=action)


def more(view: View, found: Page[Any]) -> Tag | None:
    """That a list goes on, and the way to where."""
    if found.cursor is None:
        return None
    what = f"{found.remaining:,} more" if found.is_exact else "more"
    among = "" if found.is_exact else f", among {counted(found.remaining, 'entry')} not looked at"
    return tag("p", view.link_with(f"Show {what}", {"cursor": found.cursor}), among, class_="more")
