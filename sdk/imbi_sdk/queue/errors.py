"""What can go wrong between a gateway and the queue; light to import for whoever only catches it.

QueueError             Redis refused
└── QueueUnavailable   Redis is away, or full: the same may work later
InvalidDelivery        what was to be enqueued cannot be
SigningKeyError        a signing key cannot be used
WireError              a body that is no job of ours
├── ForeignJob         it is another program's
└── NewerWire          a newer worker can run it
"""


class QueueError(Exception):
    """Redis refused: the text says why, and nothing of this call of Redis was written.

    More than 1,000 jobs go in several calls, of which earlier ones may have been carried out.
    """


class QueueUnavailable(QueueError):  # noqa: N818 - reads as what it is at the call
    """Redis is away, or full. Answer the sender with a 503, or try again with the same nonce.

    *advice* is what a gateway should do; ``problem`` alone says what is wrong.
    """

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(f"{problem}: {advice}" if advice else problem)
        self.problem = problem


class InvalidDelivery(ValueError):  # noqa: N818 - reads as what it is at the call
    """Nothing of the delivery was enqueued; the text says what is wrong and where."""


class SigningKeyError(ValueError):
    """A signing key is missing or too short; says which setting to look at."""


class WireError(ValueError):
    """A body that is no job of ours; the text says what is wrong, never what it holds."""


class ForeignJob(WireError):  # noqa: N818 - a finding, not a failure: the job may be another program's
    """A body of another arq program: its function name is no handler."""


class NewerWire(WireError):  # noqa: N818 - a finding, not a failure: a newer worker can run it
    """A body of a version this program does not know yet."""
