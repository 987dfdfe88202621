"""The filter language of every list, of bulk changes and of the JSON API.

    state:dead plugin:github project:x error:timeout age>1h attempts>=3

Terms stand side by side and all must hold. Values with blanks are quoted:
``error:"HTTP 503"``. ``text`` writes a filter back in the same language.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from imbi_worker.operations.errors import InvalidInput
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.views import State

_TERM: Final = re.compile(
    r"""(?P<name>[^\s:<>="']*)(?P<sign>:(?:[<>]=?)?|[<>]=?|=)?(?P<value>"[^"]*"|'[^']*'|\S*)"""
)
# What the caret may point at, so that a long filter stays readable.
_LONGEST: Final = 1_000
_TEXTS: Final = {
    "plugin": "plugin",
    "handler": "handler",
    "project": "project",
    "delivery": "delivery",
    "integration": "integration",
    "error": "reason",
}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_NUMBER: Final = re.compile(r"\d{1,6}")
FIELDS: Final[Mapping[str, str]] = {
    "state": "state:dead",
    "plugin": "plugin:github",
    "handler": "handler:github#sync",
    "project": "project:42",
    "delivery": "delivery:<id>",
    "integration": "integration:<plugin id>",
    "error": 'error:"HTTP 503"',
    "age": "age>1h",
    "attempts": "attempts>=3",
}


class InvalidFilter(InvalidInput):
    """A filter that cannot be read; its message shows the place with a caret."""

    def __init__(self, text: str, begin: int, end: int, problem: str, hint: str = "") -> None:
        width = max(1, end - begin)
        # A caret stands under its place only where nothing moves what is above it.
        shown = "".join(c if c.isprintable() else " " for c in text)
        marked = f"{problem}\n  {shown}\n  {' ' * begin}{'^' * width}"
        super().__init__(marked, hint or f"Write e.g. {', '.join(FIELDS.values())}.")
        self.begin = begin
        self.end = end


@dataclass(frozen=True, slots=True)
class _Term:
    """``name`` ``sign`` ``value``, and where it and its value stand in the text."""

    name: str
    sign: str
    value: str
    begin: int
    middle: int
    end: int


def is_filter(text: str) -> bool:
    """Whether a word on a command line is meant as a term, and not as an id."""
    match = _TERM.match(text)
    return match is not None and match["sign"] is not None and match["name"] != ""


def parse_filter(text: str, *, now: datetime | None = None) -> JobFilter:
    """What *text* asks for. Ages count from *now*.

    :raises InvalidFilter: naming the place
    """
    if len(text) > _LONGEST:
        hint = f"Write at most {_LONGEST:,} characters."
        raise InvalidInput(f"The filter is too long ({len(text):,} characters).", hint)
    at = now or datetime.now(UTC)
    wanted = JobFilter()
    for term in _terms(text):
        wanted = _with(wanted, term, text, at)
    return wanted


def merged(first: JobFilter, second: JobFilter) -> JobFilter:
    """What both ask for.

    :raises InvalidInput: both speak of the same thing
    """
    given = {
        one.name: getattr(second, one.name)
        for one in fields(JobFilter)
        if getattr(second, one.name) is not None
    }
    for name, value in given.items():
        if getattr(first, name) not in (None, value):
            raise InvalidInput(
                f"The filter names a {name}, and an option names another one.", "Keep one of them."
            )
    return replace(first, **given)


def text_of(wanted: JobFilter, *, now: datetime | None = None) -> str:
    """*wanted* in the filter language; empty for all jobs."""
    at = now or datetime.now(UTC)
    told = [f"state:{wanted.state}"] if wanted.state is not None else []
    for name, field in _TEXTS.items():
        value = getattr(wanted, field)
        if value is not None:
            told.append(f"{name}:{_quoted(value)}")
    if wanted.before is not None:
        told.append(f"age>{_seconds(at - wanted.before)}s")
    if wanted.after is not None:
        told.append(f"age<{_seconds(at - wanted.after)}s")
    if wanted.least_attempts is not None:
        told.append(f"attempts>={wanted.least_attempts}")
    if wanted.most_attempts is not None:
        told.append(f"attempts<={wanted.most_attempts}")
    return " ".join(told)


def _terms(text: str) -> Iterator[_Term]:
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        match = _TERM.match(text, place)
        if match is None or match.end() == place:
            raise InvalidFilter(
                text, place, place + 1, "A term of the filter begins here with no field."
            )
        name, sign, raw = match["name"], match["sign"] or "", match["value"]
        if raw[:1] in {'"', "'"}:
            if len(raw) < 2 or raw[-1] != raw[0]:  # noqa: PLR2004 - both quotes
                raise InvalidFilter(
                    text, match.start("value"), match.end(), "A quote is not closed."
                )
            raw = raw[1:-1]
        yield _Term(name, sign, raw, match.start(), match.start("value"), match.end())
        place = match.end()
        if place < len(text) and not text[place].isspace():
            raise InvalidFilter(text, place, place + 1, "A blank is missing before this.")


def _with(wanted: JobFilter, term: _Term, text: str, now: datetime) -> JobFilter:
    changed = _change(_known(term, text), text, now)
    if any(getattr(wanted, name) is not None for name in changed):
        problem = f"{term.name} is given twice."
        raise InvalidFilter(text, term.begin, term.end, problem, "Keep one of them.")
    return replace(wanted, **changed)


def _known(term: _Term, text: str) -> _Term:
    if not term.sign:
        problem = "This has no field: it does not say where to look."
        hint = f'Did you mean error:"{term.name or term.value}"?'
        raise InvalidFilter(text, term.begin, term.end, problem, hint)
    if term.name not in FIELDS:
        end = term.begin + len(term.name)
        problem = f"There is no field {term.name!r} to filter by."
        raise InvalidFilter(text, term.begin, end, problem, f"There are {', '.join(FIELDS)}.")
    if not term.value:
        problem, hint = f"{term.name} has no value.", f"Write e.g. {FIELDS[term.name]}."
        raise InvalidFilter(text, term.begin, term.end, problem, hint)
    return term


def _change(term: _Term, text: str, now: datetime) -> dict[str, Any]:
    match term.name:
        case "age":
            return _age(term, text, now)
        case "attempts":
            return _attempts(term, text)
        case "state":
            _require_colon(term, text)
            return {"state": _state(term, text)}
        case _:
            _require_colon(term, text)
            return {_TEXTS[term.name]: term.value}


def _require_colon(term: _Term, text: str) -> None:
    if term.sign != ":":
        begin = term.begin + len(term.name)
        problem = f"{term.name} is compared with ':' only."
        raise InvalidFilter(text, begin, term.middle, problem, f"Write e.g. {FIELDS[term.name]}.")


def _state(term: _Term, text: str) -> State:
    try:
        return State(term.value.casefold())
    except ValueError:
        states = ", ".join(State)
        problem = f"There is no state {term.value!r}."
        raise InvalidFilter(text, term.middle, term.end, problem, f"There are {states}.") from None


def _age(term: _Term, text: str, now: datetime) -> dict[str, Any]:
    sign = term.sign.removeprefix(":").removesuffix("=")
    match = _SPAN.fullmatch(term.value)
    if match is None:
        problem, hint = f"{term.value!r} is no duration.", "Write 30s, 5m, 1h, 2d or 1w."
        raise InvalidFilter(text, term.middle, term.end, problem, hint)
    if sign not in {"<", ">"}:
        begin = term.begin + len(term.name)
        hint = "Write age>1h for older ones, age<1h for newer ones."
        raise InvalidFilter(text, begin, term.middle, "An age is compared with > or <.", hint)
    try:
        moment = now - timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        problem = f"{term.value!r} is longer than anything lasts."
        raise InvalidFilter(text, term.middle, term.end, problem, "Write e.g. age>30d.") from None
    return {"before" if sign == ">" else "after": moment}


def _attempts(term: _Term, text: str) -> dict[str, Any]:
    if not _NUMBER.fullmatch(term.value):
        problem = f"{term.value!r} is no number of attempts."
        raise InvalidFilter(text, term.middle, term.end, problem, "Write e.g. attempts>=3.")
    count = int(term.value)
    match term.sign.removeprefix(":"):
        case ">":
            return {"least_attempts": count + 1}
        case ">=":
            return {"least_attempts": count}
        case "<":
            return {"most_attempts": count - 1}
        case "<=":
            return {"most_attempts": count}
        case _:
            return {"least_attempts": count, "most_attempts": count}


def _quoted(value: str) -> str:
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}" if re.search(r"\s|[\"']|^[<>=]", value) or not value else value


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())


def filter_text(wanted: JobFilter) -> str:
    """A filter as the audit calls it."""
    return text_of(wanted) or "all jobs"


def jobs_text(jobs: Sequence[str]) -> str:
    """Jobs that were named one by one, as the audit calls them."""
    return f"job:{jobs[0]}" if len(jobs) == 1 else f"{len(jobs):,} jobs by id"
