"""Values as text and as JSON."""

import io
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from imbi_worker.cli.drawing import Canvas, Sheet
from imbi_worker.cli.output import Output, age, cleaned, plain
from imbi_worker.operations.errors import (
    InvalidInput,
    Misconfigured,
    NotFound,
    OperationError,
    Refused,
    Unavailable,
)
from imbi_worker.queue.inspection.views import Page, State

CODES = {InvalidInput: 2, NotFound: 3, Refused: 4, Unavailable: 69, Misconfigured: 78}


@dataclass(frozen=True)
class Sample:
    at: datetime
    took: timedelta
    state: State
    parts: tuple["Sample", ...] = ()
    nothing: str | None = None


def test_values_become_json_with_units_in_their_names() -> None:
    """A moment in UTC with its zone, a duration in seconds, a state as its word."""
    east = timezone(timedelta(hours=2))
    sample = Sample(datetime(2026, 1, 1, 2, tzinfo=east), timedelta(seconds=1.5), State.DEAD)
    whole = plain(Sample(sample.at, sample.took, State.WAITING, (sample,)))
    (part,) = whole["parts"]
    assert part == {
        "at": "2026-01-01T00:00:00.000+00:00",
        "took_seconds": 1.5,
        "state": "dead",
        "parts": [],
        "nothing": None,
    }
    assert json.loads(json.dumps(whole)) == whole


@given(st.text() | st.text(alphabet="ab\x1b\x07\r\x9b\u202e\n"))
def test_no_text_can_steer_a_terminal(text: str) -> None:
    """Escape sequences, bells, returns and direction marks are made visible."""
    shown = cleaned(text)
    assert len(shown) == len(text)
    assert not set(shown) & set("\x1b\x07\r\x08\x9b\u202e\u2066")


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=5, milliseconds=500), "5s ago"),
        (timedelta(minutes=3), "3m ago"),
        (timedelta(hours=2, minutes=59), "2h ago"),
        (timedelta(days=9), "9d ago"),
        (-timedelta(minutes=2, seconds=5), "in 2m"),
    ],
)
def test_an_age_is_one_number_and_one_unit(ago: timedelta, text: str) -> None:
    """Rounded down; the future reads `in`."""
    assert age(datetime.now(UTC) - ago) == text


WORD = st.text(alphabet="abc#-7", min_size=1, max_size=32)
ROW = st.tuples(WORD, WORD, st.lists(WORD, max_size=9).map(" ".join), WORD)


def shown(rows: list[tuple[str, ...]], width: int, *, is_utc: bool = False) -> list[str]:
    """The lines of a table on a terminal of *width*."""
    output = Output(as_json=False, is_utc=is_utc)
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    output._canvas = Canvas(console)
    output.table(("ID", "HANDLER", "WHY", "WORKER"), rows)
    return stream.getvalue().splitlines()


@given(st.lists(ROW, min_size=1, max_size=4), st.integers(min_value=40, max_value=160))
def test_a_table_of_any_width_cuts_no_word_in_two(rows: list[tuple[str, ...]], width: int) -> None:
    """What somebody may want to copy stands there whole; nothing is lost, nothing too long."""
    lines = shown(rows, width)
    assert max(len(line) for line in lines) <= width
    assert all(line == line.rstrip() for line in lines)
    words = Counter(word for line in lines for word in line.split())
    for word in Counter(" ".join(cell for row in rows for cell in row).split()):
        assert words[word] > 0


CELL = st.text(alphabet="ab 日\u0301é,.-", max_size=24)
PLAIN = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=4)


@given(PLAIN)
def test_a_pipe_gets_what_a_terminal_without_an_edge_shows(
    rows: list[tuple[str, ...]],
) -> None:
    """The same lines, whether rich draws them or not: tables, facts, headings."""
    drawn, written = io.StringIO(), io.StringIO()
    console = Console(file=drawn, width=100_000, color_system=None, highlight=False)
    for one in (Canvas(console), Sheet(written)):
        one.heading("Rows")
        one.table(("ID", "WHY", "日"), rows)
        one.facts([("name", rows[0][0]), ("more", rows[0][1])])
        one.clear()
    assert written.getvalue().splitlines() == drawn.getvalue().splitlines()


def test_a_narrow_terminal_gets_a_block_for_each_row() -> None:
    """Names stand with their values; what does not fit goes on further in."""
    job, worker = "22b1d1cb3b17973935cea960e96623bd", "worker-7"
    lines = shown([(job, "demo#hang", "the action did not end within two seconds", worker)], 40)
    assert lines == [
        job,
        "  handler demo#hang",
        "  why the action did not end within",
        "    two seconds",
        "  worker worker-7",
    ]


def test_a_moment_in_a_table_is_an_age_or_a_date(capsys: pytest.CaptureFixture[str]) -> None:
    """As it is wished; beside a name it is both."""
    at = datetime.now(UTC) - timedelta(minutes=5)
    date = f"{at:%Y-%m-%d %H:%M:%SZ}"
    for is_utc, told in ((False, "5m ago"), (True, date)):
        Output(as_json=False, is_utc=is_utc).table(("ID", "WHEN"), [("1", at)])
        assert told in capsys.readouterr().out
    Output(as_json=False).facts([("ended", at), ("started", None)])
    assert capsys.readouterr().out == f"ended  {date} (5m ago)\n"


@pytest.mark.parametrize("kind", CODES)
def test_each_kind_of_error_has_its_exit_code(
    kind: type[OperationError], capsys: pytest.CaptureFixture[str]
) -> None:
    """The message and the next step stand on stderr, in either form."""
    assert Output(as_json=False).fail(kind("It is so.", "Do this.")) == CODES[kind]
    assert Output(as_json=True).fail(kind("It is so.", "Do this.")) == CODES[kind]
    out, err = capsys.readouterr()
    assert out == ""
    first, second, third = err.splitlines()
    assert (first, second) == ("imbi-worker: It is so.", "Do this.")
    told = json.loads(third)["error"]
    assert told == {"kind": kind.__name__, "message": "It is so.", "hint": "Do this."}


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (Page(("x",), "dead:1", 1204, is_exact=True), "… 1,204 more: --cursor dead:1\n"),
        (
            Page(("x",), "queue:1", 1204, is_exact=False),
            "… more among 1,204 not looked at yet: --cursor queue:1\n",
        ),
        (Page(("x",), None, 0, is_exact=True), ""),
    ],
)
def test_a_cut_list_says_so(page: Page[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the number when it is known, and with the way to go on."""
    Output(as_json=False).more(page)
    assert capsys.readouterr() == ("", text)
