"""Errors as RFC 9457 says them: ``application/problem+json``, with what to do next."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import JSONResponse

from imbi_worker.operations.errors import (
    InvalidInput,
    Misconfigured,
    NotFound,
    OperationError,
    Refused,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"
_KINDS: Final[Mapping[type[OperationError], tuple[str, int]]] = {
    InvalidInput: ("invalid-input", 400),
    NotFound: ("not-found", 404),
    Refused: ("refused", 409),
    Unavailable: ("unavailable", 503),
    Misconfigured: ("misconfigured", 500),
}
_TITLES: Final[Mapping[str, str]] = {
    "invalid-input": "What was given cannot be used",
    "not-found": "Nothing here has this id",
    "refused": "It would be wrong to do this now; nothing was changed",
    "unavailable": "Redis or the graph does not answer",
    "misconfigured": "A setting has to be corrected first",
    "unauthorized": "A token is needed",
    "forbidden": "Your role does not allow this",
    "unknown-host": "Not served under this name",
    "method-not-allowed": "This method does nothing here",
    "too-large": "The body is too large",
    "not-json": "The body must be JSON",
    "too-many-tails": "Too many tails are open",
    "defect": "A defect of the dashboard",
}
_TRY_AGAIN_SECONDS: Final = "5"


class Problem(Exception):  # noqa: N818 - the RFC's word
    """An answer that is no success; *kind* ends its ``type``."""

    def __init__(
        self,
        kind: str,
        status: int,
        detail: str,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = headers or {}

    @property
    def title(self) -> str:
        """The same for every problem of a kind."""
        return _TITLES[self.kind]


def of_operation(error: OperationError) -> Problem:
    """The problem that an operation ran into."""
    kind, status = next(_KINDS[one] for one in _KINDS if isinstance(error, one))
    headers = {"Retry-After": _TRY_AGAIN_SECONDS} if status == 503 else {}  # noqa: PLR2004 - HTTP's number
    return Problem(kind, status, error.message, error.hint, headers)


def response(problem: Problem) -> JSONResponse:
    told: dict[str, Any] = {
        "type": f"/problems/{problem.kind}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.hint:
        told["hint"] = problem.hint
    return JSONResponse(told, problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE)


SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "enum": [f"/problems/{kind}" for kind in _TITLES]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "hint": {"type": "string", "description": "What to do next."},
    },
}
