"""What requests may ask: one model for each, parsed from address or body, strict and bounded."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import to_json
from starlette.requests import Request

from imbi_sdk.queue import WireError
from imbi_sdk.queue.json_text import load
from imbi_worker.dashboard.problems import Problem

BODY_BYTES: Final = 64 * 1024
PAGE: Final = 50
LARGEST_PAGE: Final = 500
_WHOLE: Final = re.compile(r"\d{1,9}")
_DURATION: Final = re.compile(r"(\d{1,9})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TRUTHS: Final = {"true": True, "false": False}
Asked = TypeVar("Asked", bound="Question")


class Question(BaseModel):
    """What a request asks; a name that is not declared is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def whole(value: Any) -> Any:
    """A number in an address."""
    if not isinstance(value, str):
        return value
    if not _WHOLE.fullmatch(value):
        raise ValueError("write a whole number")
    return int(value)


def _truth(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in _TRUTHS:
        raise ValueError("write true or false")
    return _TRUTHS[value]


Count = Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="Most jobs of one step.")]
# An address holds texts only: what a number or a truth is, is said here.
Limit = Annotated[
    int,
    BeforeValidator(whole),
    Field(ge=1, le=LARGEST_PAGE, description="Most items of a page."),
]
Flag = Annotated[bool, BeforeValidator(_truth)]
Cursor = Annotated[
    str | None,
    Field(max_length=1_000, description="Go on where the last page ended; it is given there."),
]
Filter = Annotated[
    str,
    Field(
        max_length=1_000,
        description="As on the command line: `state:dead plugin:github error:timeout age>1h`.",
    ),
]
Id = Annotated[str, Field(max_length=1_000)]
Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why, for the audit.")]
Ids = Annotated[
    tuple[Id, ...] | None,
    Field(min_length=1, max_length=LARGEST_PAGE, description="Jobs by their ids, or a filter."),
]
DurationText = Annotated[
    str | None,
    Field(pattern=r"^\d{1,9}[smhd]$", description="Ends after 30s, 5m, 1h, 2d; without it, never."),
]


def duration(text: str | None) -> timedelta | None:
    """What a duration's text says; the model has seen to its form."""
    match = _DURATION.fullmatch(text) if text else None
    return None if match is None else timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def of_address(kind: type[Asked], request: Request) -> Asked:
    """:raises Problem: a parameter is unknown, given twice or wrong."""
    names = [name for name, _ in request.query_params.multi_items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Problem("invalid-input", 400, f"{_quoted(twice[0])} is given more than once.")
    given = {**request.query_params, **request.path_params}
    if len(given) < len(names) + len(request.path_params):
        raise Problem("invalid-input", 400, "A part of the path is given as a parameter, too.")
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise _wrong(error) from None


async def of_body(kind: type[Asked], request: Request) -> Asked:
    """:raises Problem: the body is no JSON object, too large, or wrong."""
    if request.query_params:
        raise Problem("invalid-input", 400, "This takes no parameters but a JSON body.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if media_type != "application/json":
        raise Problem("not-json", 415, "Send a JSON object as application/json.")
    try:
        # Not pydantic's parser: it reads 1e400 as infinity, which then counts as null.
        found = load(await _read(request))
    except WireError as error:
        told = str(error)
        raise Problem("invalid-input", 400, f"{told[0].upper()}{told[1:]}.") from None
    try:
        # From JSON, so that strict means what it means there: "1" is no number, a list a tuple.
        return kind.model_validate_json(to_json({**found, **request.path_params}), strict=True)
    except ValidationError as error:
        raise _wrong(error) from None


async def _read(request: Request) -> bytes:
    """The body, of which no more than the limit is ever held."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            told = f"A body may have {BODY_BYTES // 1024} KiB."
            raise Problem("too-large", 413, told, headers={"Connection": "close"})
    return body


def _wrong(error: ValidationError) -> Problem:
    """Every fault with its place; what was given is not repeated."""
    told = [_fault(item) for item in error.errors(include_input=False, include_url=False)]
    return Problem("invalid-input", 400, "; ".join(told[:5]) + ".")


def _fault(item: Mapping[str, Any]) -> str:
    place = "/".join(str(part) for part in item["loc"]) or "body"
    if item["type"] == "extra_forbidden":
        return f"{_quoted(place)} is not asked for here"
    return f"{_quoted(place)}: {item['msg'].removeprefix('Value error, ')}"


def _quoted(name: str) -> str:
    shown = name if len(name) <= 40 else f"{name[:40]}…"  # noqa: PLR2004 - enough to find it by
    return "".join(c if c.isprintable() else "?" for c in shown)
