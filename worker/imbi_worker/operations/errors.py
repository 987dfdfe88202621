"""What can go wrong in an operation; each says what to do next.

OperationError
├── InvalidInput    what was given cannot be used: a file, a name, a value
├── NotFound        nothing here has this id
├── Refused         it would be wrong to do this now
├── Unavailable     Redis or the graph does not answer: the same may work later
└── Misconfigured   a setting has to be corrected first
"""

from collections.abc import Iterator
from contextlib import contextmanager

from imbi_sdk.errors import (
    ConfigurationError,
    GraphUnavailable,
    PluginConfigurationConflict,
    PluginRecordMissing,
)
from imbi_sdk.queue import (
    InvalidDelivery,
    QueueError,
    QueueUnavailable,
    SigningKeyError,
)
from imbi_worker.graph import GraphMisconfigured
from imbi_worker.queue import InvalidCursor, NotAllowed


class OperationError(Exception):
    """*hint* is the next thing to do, as a sentence."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(OperationError):  # noqa: N818 - reads as what it is at the call
    """What was given cannot be used."""


class NotFound(OperationError):  # noqa: N818 - reads as what it is at the call
    """Nothing here has this id."""


class Refused(OperationError):  # noqa: N818 - reads as what it is at the call
    """It would be wrong to do this now; nothing was changed."""


class Unavailable(OperationError):  # noqa: N818 - reads as what it is at the call
    """A server does not answer."""


class Misconfigured(OperationError):  # noqa: N818 - reads as what it is at the call
    """A setting has to be corrected first."""


def no_job(job: str) -> NotFound:
    """Redis does not know *job*, or no longer."""
    hint = "See `imbi-worker jobs list`; a job that ended well is forgotten after 24 hours."
    return NotFound(f"There is no job {job!r}.", hint)


@contextmanager
def operation_errors() -> Iterator[None]:
    """Errors of queue, graph and SDK as operation errors, with what to do next."""
    try:
        yield
    except InvalidDelivery as error:
        raise InvalidInput(str(error)) from None
    except QueueUnavailable as error:
        raise Unavailable(f"{error.problem}.", "Look at REDIS_URL, then try again.") from None
    except NotAllowed as error:
        hint = "Connect as a Redis user whose role may: deploy/redis/users.acl has them."
        raise Refused(str(error), hint) from None
    except QueueError as error:
        raise Refused(str(error), "Look at Redis with `imbi-worker check`.") from None
    except GraphMisconfigured as error:
        # A kind of GraphUnavailable to jobs, which wait for it; an operator has to act.
        raise Misconfigured(str(error)) from None
    except GraphUnavailable as error:
        raise Unavailable(str(error), "Look at NEO4J_URL, then try again.") from None
    except PluginRecordMissing as error:
        text = "List what there is with `imbi-worker credentials list`."
        raise NotFound(str(error), text) from None
    except PluginConfigurationConflict as error:
        raise Refused(str(error)) from None
    except (ConfigurationError, SigningKeyError) as error:
        raise Misconfigured(str(error)) from None


@contextmanager
def cursor_errors() -> Iterator[None]:
    """A cursor of another list as ``InvalidInput``."""
    try:
        yield
    except InvalidCursor as error:
        raise InvalidInput(f"{error}.", "Leave --cursor out to begin at the top.") from None
