"""How long a server asks to be left alone, by the texts of its headers."""

import math
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST: Final = timedelta(days=365)


def retry_after(text: str | None, now: float) -> timedelta | None:
    """What a ``Retry-After`` asks for at *now* (epoch seconds): so many seconds, or a date.

    None where it says neither. Never below zero, nor above a year.
    """
    if text is None:
        return None
    seconds = number(text)
    if seconds is not None:
        return span(seconds)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone is GMT: HTTP has no other.
    return span((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)


def number(text: str | None) -> float | None:
    """The number that a header says; None for anything else, infinity too."""
    try:
        found = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def span(seconds: float) -> timedelta:
    """Not below zero, nor above a year."""
    return timedelta(seconds=min(max(seconds, 0.0), _LONGEST.total_seconds()))
