"""An endpoint: who may, what is asked, what is answered, and the work between."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from imbi_worker.dashboard.access import Person, Role
from imbi_worker.dashboard.asking import Question
from imbi_worker.dashboard.desk import Desk

Work: TypeAlias = Callable[[Desk, Person, Any], Awaitable[object]]
# Each with the id to go on from.
Entries: TypeAlias = AsyncGenerator[tuple[str, object], None]
Tail: TypeAlias = Callable[[Desk, Any, str | None], Entries]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API. *answer* is the type that its schema comes from.

    *path* is below ``/api/v1``. A part in braces is a member of *asks*.
    """

    method: Literal["GET", "POST"]
    path: str
    summary: str
    work: Work
    answer: Any
    asks: type[Question] = Question
    role: Role = Role.VIEWER

    @property
    def name(self) -> str:
        """As OpenAPI calls it: ``list_jobs``."""
        return self.work.__name__


@dataclass(frozen=True, slots=True)
class TailEndpoint:
    """A stream that goes on: server-sent events with the id to go on from."""

    path: str
    summary: str
    tail: Tail
    answer: Any
    asks: type[Question] = Question

    @property
    def name(self) -> str:
        return self.tail.__name__
