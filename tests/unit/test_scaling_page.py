"""The tables of docs/scaling.md are what its formulas give."""

import math
import re
from pathlib import Path

import pytest

from imbi_worker.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "scaling.md").read_text(encoding="utf-8")
PERFORMANCE = (DOCS / "performance.md").read_text(encoding="utf-8")


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first heading is *first*, headings included."""
    lines = PAGE[PAGE.index(f"| {first} |") :].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def number(text: str) -> float:
    (found,) = re.findall(r"[\d,.]+", text)
    return float(found.replace(",", ""))


def test_the_pods_are_what_the_formula_gives() -> None:
    """Busy slots by 0.7 of a pod's, rounded up, and one to spare."""
    slots = Settings.model_fields["concurrency"].default
    head, *rows = table("jobs a minute")
    seconds = [number(cell) for cell in head[1:]]
    assert len(rows) == 5
    for rate, *cells in rows:
        busy = [number(rate) / 60 * each for each in seconds]
        assert [number(cell) for cell in cells] == [math.ceil(b / (slots * 0.7)) + 1 for b in busy]


def test_what_a_job_costs_redis_adds_up() -> None:
    """And a core's second has a million microseconds."""
    _, enqueue, ends, together, rate = table("step")
    for column in (1, 2):
        total = number(enqueue[column]) + number(ends[column])
        assert number(together[column]) == total
        assert number(rate[column]) == pytest.approx(1e6 / total, rel=0.02)


def test_a_million_waiting_jobs_weigh_what_their_parts_weigh() -> None:
    """What was measured for a job, a body of 500, and the event by the jobs that share it."""
    row = PERFORMANCE[PERFORMANCE.index("| a waiting job beyond its body") :].partition("\n")[0]
    (job,) = re.findall(r"\*\*(\d+) bytes\*\*", row)
    assert f"a waiting job takes {job} bytes" in PAGE
    _, *rows = table("deliveries")
    assert len(rows) == 4
    for jobs, event, memory in rows:
        share = number(event.split(",")[0]) * 1024 / number(jobs)
        assert number(memory) == pytest.approx((int(job) + 500 + share) / 1000, abs=0.06)
