"""An endpoint: who may, what is asked, what is answered, and the work between."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from imbi_worker.dashboard.access import Person, Role
from imbi_worker.dashboard.asking import Question
from imbi_worker.dashboard.desk import Desk

Work: TypeAlias = Callable[[Desk, Person, Any], Awaitable[object]]
Tail: TypeAlias = Callable[[Desk, str | None], AsyncGenerator[Any, None]]


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

    @property
    def name(self) -> str:
        return self.tail.__name__
