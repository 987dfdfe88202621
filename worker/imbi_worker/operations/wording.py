"""Values in words, the same on a terminal and on a page."""

from datetime import UTC, datetime, timedelta
from typing import Final

from imbi_worker.queue import inspection

_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def age(at: datetime | None) -> str:
    """How long ago, or how soon, in one unit; empty for none."""
    if at is None:
        return ""
    seconds = (datetime.now(UTC) - at).total_seconds()
    size, unit = next((span for span in _SPANS if abs(seconds) >= span[0]), _SPANS[-1])
    count = int(abs(seconds) // size)
    return f"in {count}{unit}" if seconds < 0 and count else f"{count}{unit} ago"


def span(duration: timedelta | None) -> str:
    """A duration in its largest units: ``4.2s``, ``3m10s``, ``2h05m``."""
    if duration is None:
        return ""
    seconds = duration.total_seconds()
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours}h{minutes_left:02}m" if hours else f"{minutes}m{rest:02}s"


def counted(count: int, noun: str, plural: str = "") -> str:
    """``1 job``, ``2 jobs``; *plural* where an s is not enough."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def one_line(text: str) -> str:
    return " ".join(text.split())


def reason(job: "inspection.JobView") -> str:
    """Why a job waits, or what became of it, in one line."""
    if job.wait is not None:
        return one_line(job.wait.text)
    # An error that begins with its reason says it once.
    if job.error.startswith(job.reason):
        return one_line(job.error)
    return one_line(": ".join(part for part in (job.reason, job.error) if part))
