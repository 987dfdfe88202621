"""What is asked of an attempt, and what comes back."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from imbi_sdk.actions import CallableKind
from imbi_sdk.attempt.classification import Standing
from imbi_sdk.attempt.failure import Kind
from imbi_sdk.attempt.outcome import Outcome
from imbi_sdk.context import PluginContext
from imbi_sdk.webhook import ActionDescriptor


class Clock(Protocol):
    """Time and chance, so that an attempt has neither of its own."""

    def now(self) -> datetime:
        """The moment, aware."""
        ...

    def jitter(self) -> float:
        """A position in a backoff window, 0 to 1, new at each call."""
        ...


@dataclass(frozen=True, slots=True)
class Action:
    """A resolved handler; *kind* says which keyword its callable takes."""

    handler: str
    descriptor: ActionDescriptor
    kind: CallableKind


@dataclass(frozen=True, slots=True)
class Supplies:
    """What an action is given beside config and event.

    It may change the context; of the credentials each call gets a copy.
    """

    context: PluginContext
    credentials: Mapping[str, str] = field(repr=False)


class Supply(Protocol):
    """Where context and credentials come from, at the last moment before the call."""

    async def __call__(self, *, fresh: bool) -> Supplies:
        """Fetch them; with *fresh*, from the source and not from a cache.

        Raises `Settled` when the attempt ends here, without a call.
        """
        ...


class Settled(Exception):  # noqa: N818 - no error: the attempt has its outcome
    """The attempt has come to *outcome* without a call of the action."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an attempt may take.

    The action has *timeout*, then *grace* after its cancel; what has to be looked
    up before has *lookup*.
    """

    timeout: timedelta = timedelta(seconds=300)
    grace: timedelta = timedelta(seconds=5)
    lookup: timedelta = timedelta(seconds=10)

    @property
    def longest(self) -> timedelta:
        """After this an attempt has a verdict, unless the action blocks the loop."""
        return self.lookup + self.timeout + self.grace


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt: what to call, with what, and where the job stands.

    *config* and *event* are JSON as the job carries them; each call gets its own
    instance of both.
    """

    action: Action
    supply: Supply
    config: str = field(default="{}", repr=False)
    event: bytes = field(default=b"{}", repr=False)
    external_identifier: str = ""
    standing: Standing = field(default_factory=Standing)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt came to.

    *duration* is None when the action was not called. *unfinished* is an action
    that outlived its grace: its slot and lane stay taken until the task ends.
    *trace* is the redacted traceback of a failure, *kind* what the error that decided means.
    """

    outcome: Outcome
    duration: timedelta | None = None
    unfinished: "asyncio.Task[Any] | None" = field(default=None, compare=False)
    trace: str | None = field(default=None, compare=False, repr=False)
    kind: Kind | None = field(default=None, compare=False)
