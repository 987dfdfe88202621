"""What an error of an action means, before any policy is asked.

Errors of Imbi's plugin system are known by class name, over the whole MRO: a
plugin may have been written against ``imbi_sdk`` or against ``imbi_common``.
Then comes the HTTP answer an error carries, then the other names below, the
nearest class first.

    Skip                                      there was nothing to do
    PluginRateLimited                         wait until ``retry_at``, for the whole integration
    PluginAuthenticationFailed                once more with fresh credentials, then dead
    RetryableError, timeouts, lost transport  again later, not before ``retry_after``
    HTTP 408, 425, 429, 5xx, limits on 403    again later, not before Retry-After
    HTTP 4xx, PermanentError, wrong input     dead
    everything else                           unknown: the policy decides
"""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

from imbi_sdk.attempt.describe import describe, leaves
from imbi_sdk.attempt.http_failure import http_failure


class Kind(IntEnum):
    """What an error means. Of several errors in a group the lowest decides."""

    RATE_LIMITED = 1
    AUTHENTICATION = 2
    TRANSIENT = 3
    UNKNOWN = 4
    PERMANENT = 5
    CREDENTIALS = 6
    SKIP = 7


_SPOKEN: Final[dict[str, Kind]] = {
    "Skip": Kind.SKIP,
    "PluginRateLimited": Kind.RATE_LIMITED,
    "PluginAuthenticationFailed": Kind.AUTHENTICATION,
    "PluginCredentialsMissing": Kind.CREDENTIALS,
    "PluginTimeoutError": Kind.TRANSIENT,
    "PluginUnavailableError": Kind.TRANSIENT,
    "RetryableError": Kind.TRANSIENT,
    "GraphUnavailable": Kind.TRANSIENT,
    "PluginConfigurationConflict": Kind.TRANSIENT,
    "PermanentError": Kind.PERMANENT,
    "PluginNotFoundError": Kind.PERMANENT,
    "PluginRecordMissing": Kind.PERMANENT,
}
_TRANSIENT: Final = (
    # the standard library: every OSError, TimeoutError with it
    "OSError",
    "TimeoutError",
    "TimeoutExpired",
    "CancelledError",
    # a service that answers with something else than JSON is out of order for now
    "JSONDecodeError",
    # httpx, httpx2, aiohttp, requests, niquests, urllib3
    "TransportError",
    "TimeoutException",
    "ClientConnectionError",
    "ClientPayloadError",
    "ConnectionError",
    "Timeout",
    "ProtocolError",
    # redis, neo4j
    "BusyLoadingError",
    "ReadOnlyError",
    "ServiceUnavailable",
    "SessionExpired",
    "TransientError",
)
_PERMANENT: Final = (
    "ValueError",
    "ValidationError",
    "NotImplementedError",
    "JsonPointerException",
    "CELEvalError",
    "CELParseError",
    "CELSyntaxError",
    "CELUnsupportedError",
    # an address no client can call, whatever it derives from
    "InvalidURL",
    "InvalidSchema",
    "MissingSchema",
    "UnsupportedProtocol",
)
_OTHERS: Final[dict[str, Kind]] = {
    **dict.fromkeys(_TRANSIENT, Kind.TRANSIENT),
    **dict.fromkeys(_PERMANENT, Kind.PERMANENT),
}


_LONGEST: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, sorted. *text* has not passed the redactor."""

    kind: Kind
    text: str
    retry_after: timedelta = timedelta(0)
    retry_at: datetime | None = None


def sort(error: BaseException, now: datetime) -> Failure:
    """Say what *error* means; of a group, what its most hopeful member means."""
    members = leaves(error)
    deciding = min((_sort_one(member, now) for member in members), key=_rank)
    return deciding if members[0] is error else replace(deciding, text=describe(error))


def _rank(failure: Failure) -> Kind:
    return failure.kind


def _sort_one(error: BaseException, now: datetime) -> Failure:
    text = describe(error)
    kind = _named(error, _SPOKEN)
    if kind is Kind.SKIP:
        return Failure(kind, str(getattr(error, "reason", "")) or text)
    if kind is Kind.RATE_LIMITED:
        return Failure(kind, text, retry_at=_moment(getattr(error, "retry_at", None)))
    if kind is not None:
        return Failure(kind, text, _span(getattr(error, "retry_after", None)))
    answer = http_failure(error, now)
    if answer is not None:
        kind = Kind.TRANSIENT if answer.is_retryable else Kind.PERMANENT
        return Failure(kind, text, answer.retry_after or timedelta(0))
    return Failure(_named(error, _OTHERS) or Kind.UNKNOWN, text)


def _named(error: BaseException, names: dict[str, Kind]) -> Kind | None:
    found = (names.get(ancestor.__name__) for ancestor in type(error).__mro__)
    return next((kind for kind in found if kind is not None), None)


def _moment(epoch: object) -> datetime | None:
    if isinstance(epoch, datetime) and epoch.tzinfo is not None:
        # imbi-common's own class keeps what it is given; its authors, too, pass moments.
        return epoch.astimezone(UTC)
    if not isinstance(epoch, int | float):
        return None
    try:
        return datetime.fromtimestamp(epoch, UTC)
    except (ValueError, OverflowError, OSError):
        # Beyond any calendar, or no number: forever, or not at all.
        return datetime.max.replace(tzinfo=UTC) if epoch > 0 else None


def _span(wish: object) -> timedelta:
    if isinstance(wish, timedelta):
        return max(wish, timedelta(0))
    if isinstance(wish, int | float) and math.isfinite(wish) and wish > 0:
        return timedelta(seconds=min(float(wish), _LONGEST.total_seconds()))
    return timedelta(0)
