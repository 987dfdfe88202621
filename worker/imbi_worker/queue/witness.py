"""What an engine tells of its work while it does it; who listens is none of its business."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from imbi_sdk.attempt import Verdict
from imbi_worker.dispatch import Attempt
from imbi_worker.queue.finishing import Ending

NO_IDS: Final[Mapping[str, str]] = MappingProxyType({})


class Account(Protocol):
    """What a witness keeps of one attempt while it runs."""

    @property
    def ids(self) -> Mapping[str, str]:
        """The names of its trace, for the attempt's log lines."""
        ...

    def ended(self, ending: Ending, verdict: Verdict | None) -> None:
        """It came to *ending*; *verdict* is None when the worker itself stopped it.

        Only the first call counts: an action that outlives its timeout ends twice.
        """
        ...

    def lost(self) -> None:
        """Another worker has the job: what this attempt came to counts nowhere."""
        ...


class Witness(Protocol):
    """Hears of attempts, on the loop's thread. Never raises: a job must not end by it."""

    def begins(self, attempt: Attempt, waited_ms: int, most_attempts: int) -> Account:
        """Called in the attempt's own task, so that what it makes current there stays there."""
        ...

    def refused(self, ending: Ending) -> None:
        """A job is dead that was not to be believed; nothing of it may be repeated."""
        ...

    def redis_failed(self) -> None:
        """A call of Redis failed. From any thread."""
        ...


class _NoAccount:
    ids = NO_IDS

    def ended(self, ending: Ending, verdict: Verdict | None) -> None:
        pass

    def lost(self) -> None:
        pass


class NoWitness:
    """Nobody listens."""

    _account: Final = _NoAccount()

    def begins(self, attempt: Attempt, waited_ms: int, most_attempts: int) -> Account:  # noqa: ARG002 - the port's signature
        return self._account

    def refused(self, ending: Ending) -> None:
        pass

    def redis_failed(self) -> None:
        pass
