"""docs/logs.md says what log lines have."""

import re
from pathlib import Path

from imbi_worker.queue import telling
from imbi_worker.queue.kept_lines import KEPT, LONGEST

PAGE = (Path(__file__).parents[3] / "docs" / "logs.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[str]:
    (table,) = re.findall(rf"^\| {heading} .*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)


def test_every_event_of_an_attempt_stands_on_the_page() -> None:
    """And no other one does."""
    found = {name.strip("`") for name in rows("event")}
    assert found == {telling.STARTED, *telling.EVENTS.values()}


def test_every_field_of_a_jobs_lines_stands_on_the_page() -> None:
    """Those that the worker binds, and those of an end."""
    named = {name for row in rows("field") for name in re.findall(r"`(\w+)`", row)}
    assert {*telling.FIELDS, *telling.END_FIELDS} <= named


def test_how_many_lines_are_kept_stands_on_the_page() -> None:
    """With how much of each."""
    assert f"The last {KEPT} lines that an action wrote, {LONGEST} characters of each" in PAGE
