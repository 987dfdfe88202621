"""The filter language: what it reads, what it writes, and where it points when it cannot."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.filters import (
    FIELDS,
    InvalidFilter,
    is_filter,
    merged,
    parse_filter,
    text_of,
)
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.views import JobView, State

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_view(**fields: object) -> JobView:
    given = {
        "id": "j1",
        "handler": "github#sync",
        "state": State.DEAD,
        "project": "p-1",
        "plugin_id": "gh-1",
        "delivery": "d-1",
        "lane": "p-1/github",
        "seq": 1,
        "ordinal": 0,
        "attempts": 3,
        "crashes": 0,
        "run": 1,
        "enqueued": NOW - timedelta(hours=5),
        "ended": NOW - timedelta(hours=2),
        "reason": "attempts exhausted",
        "error": "TimeoutError: read timed out",
    }
    return JobView(**(given | fields))  # type: ignore[arg-type]  # a table of values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "state:dead",
        "state:DEAD plugin:github",
        "plugin:github project:p-1 error:timed age>1h",
        'error:"read timed"',
        "error:'EXHAUSTED'",
        "handler:github#sync",
        "handler:github",
        "integration:gh-1",
        "delivery:d-1",
        "age<3h",
        "age:>1h",
        "attempts:3",
        "attempts>2 state:dead",
        "attempts<=3",
    ],
)
def test_a_filter_finds_what_it_names(text: str) -> None:
    """All terms hold, whatever the case of an error's text."""
    assert parse_filter(text, now=NOW).matches(make_view())


@pytest.mark.parametrize(
    "text",
    [
        "state:waiting",
        "plugin:gith",
        "plugin:sonar project:p-1",
        "project:p-2",
        "error:refused",
        "age>3h",
        "age<1h",
        "attempts>3",
        "attempts<3",
        "integration:gh-2",
    ],
)
def test_a_filter_leaves_out_what_it_does_not_name(text: str) -> None:
    """One term that does not hold is enough."""
    assert not parse_filter(text, now=NOW).matches(make_view())


def test_an_age_counts_from_the_enqueueing_while_a_job_has_not_ended() -> None:
    """As lists show it; a job whose moment nobody knows has no age."""
    waiting = make_view(state=State.WAITING, ended=None)
    assert parse_filter("age>4h", now=NOW).matches(waiting)
    assert not parse_filter("age>6h", now=NOW).matches(waiting)
    assert not parse_filter("age>1s", now=NOW).matches(
        make_view(state=State.WAITING, enqueued=None)
    )


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("stat:dead", "stat"),
        ("plugin:github stat:dead", "stat"),
        ("state:asleep", "asleep"),
        ("state>dead", ">"),
        ("plugin=github", "="),
        ("age>soon", "soon"),
        ("age:1h", ":"),
        ("age>1h age>2h", "age>2h"),
        ("state:dead state:dead", "state:dead"),
        ("attempts:many", "many"),
        ('error:"HTTP', '"HTTP'),
        ("timeout", "timeout"),
        ("project:", "project:"),
        (":dead", ":"),
        ('error:"a"b', "b"),
        ("age>99999999999999w", "99999999999999w"),
    ],
)
def test_an_error_has_a_caret_under_the_place(text: str, marked: str) -> None:
    """The line above is the filter; the carets are as long as what is wrong."""
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(text, now=NOW)
    _, shown, carets = caught.value.message.splitlines()
    begin = carets.index("^")
    assert shown[begin : begin + carets.count("^")] == marked
    assert caught.value.hint


@given(st.text(alphabet="state:dgu >=<\"'#1hx\n\té") | st.text())
def test_whatever_is_written_is_a_filter_or_an_input_error(text: str) -> None:
    """Nothing else comes out of it, and never a traceback."""
    with suppress(InvalidInput):
        wanted = parse_filter(text, now=NOW)
        assert isinstance(wanted, JobFilter)


VALUES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Z"], exclude_characters="'\""), min_size=1
)


@given(
    st.builds(
        JobFilter,
        state=st.none() | st.sampled_from(State),
        handler=st.none() | VALUES,
        project=st.none() | VALUES.map(lambda text: f"{text} {text}"),
        delivery=st.none() | VALUES,
        reason=st.none() | VALUES.map(lambda text: f"it's {text}"),
        plugin=st.none() | VALUES,
        integration=st.none() | VALUES.map(lambda text: f'"{text}'),
        before=st.none() | st.integers(0, 10**6).map(lambda s: NOW - timedelta(seconds=s)),
        after=st.none() | st.integers(0, 10**6).map(lambda s: NOW - timedelta(seconds=s)),
        least_attempts=st.none() | st.integers(0, 100),
        most_attempts=st.none() | st.integers(0, 100),
    )
)
def test_a_filter_is_written_as_it_is_read(wanted: JobFilter) -> None:
    """What stands in the audit can be used again."""
    assert parse_filter(text_of(wanted, now=NOW), now=NOW) == wanted


def test_a_filter_that_is_too_long_is_refused() -> None:
    """Before it is looked at."""
    with pytest.raises(InvalidInput, match="too long"):
        parse_filter("error:" + "x" * 2_000)


def test_options_and_terms_say_one_thing_together() -> None:
    """The same thing twice is fine, two different ones are not."""
    both = merged(parse_filter("plugin:github"), JobFilter(project="p-1"))
    assert (both.plugin, both.project) == ("github", "p-1")
    assert merged(parse_filter("project:p-1"), JobFilter(project="p-1")).project == "p-1"
    with pytest.raises(InvalidInput):
        merged(parse_filter("project:p-2"), JobFilter(project="p-1"))


@pytest.mark.parametrize(("word", "told"), [("a" * 64, False), ("state:x", True), ("age>1h", True)])
def test_a_term_is_told_from_an_id(word: str, told: bool) -> None:  # noqa: FBT001 - what is expected
    """Ids have no sign in them; a misspelled term is still one."""
    assert is_filter(word) is told


@pytest.mark.parametrize("example", FIELDS.values())
def test_every_field_has_an_example_that_is_understood(example: str) -> None:
    """It stands in the hint of an error, and leads out of it."""
    is_placeholder = "<" in example
    text = f"{example.partition(':')[0]}:x" if is_placeholder else example
    assert text_of(parse_filter(text, now=NOW), now=NOW)
