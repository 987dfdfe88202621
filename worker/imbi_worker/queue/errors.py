"""What the queue says to who looks at it; light, so that no Redis client loads for its sake.

QueueError              (SDK) Redis refused; a kind of it that passes is QueueUnavailable
└── NotAllowed          Redis knows our user, and its rights do not reach so far
RedisAddressError       REDIS_URL, or a file it needs, cannot be used
InvalidCursor           the place in a list from which to go on is none of ours
"""

from imbi_sdk.queue import QueueError


class NotAllowed(QueueError):  # noqa: N818 - reads as what it is at the call
    """Redis knows our user, and does not allow it this call; the text names both."""


class RedisAddressError(ValueError):
    """The address of Redis cannot be used; says why, without its password."""


class InvalidCursor(ValueError):  # noqa: N818 - reads as what it is at the call
    """A cursor that no list of ours gave out."""
