"""A plugin's own log lines, kept with the attempt that wrote them: the last ones, short.

Whoever writes the process's log adds to them, redacted; the attempt's record takes them along.
"""

from collections import deque
from contextvars import ContextVar
from typing import Final

KEPT: Final = 20
LONGEST: Final = 200
# Most jobs succeed, by the million: of those only warnings are worth their place in Redis.
_WORTH_KEEPING: Final = frozenset({"warning", "error", "critical", "exception"})


class Lines:
    """The last lines of one attempt."""

    __slots__ = ("_count", "_kept")

    def __init__(self) -> None:
        self._kept: deque[tuple[int, str, str, str]] | None = None
        self._count = 0

    def add(self, at_ms: int, level: str, logger: str, text: str) -> None:
        """*text* has passed the redactor."""
        if self._kept is None:
            self._kept = deque(maxlen=KEPT)
        short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        self._kept.append((at_ms, level, logger, short))
        self._count += 1

    def of_failure(self) -> dict[str, object]:
        """What the record of a failed attempt holds of them."""
        if self._kept is None:
            return {}
        left_out = self._count - len(self._kept)
        return {"lines": list(self._kept)} | ({"lines_left_out": left_out} if left_out else {})

    def of_success(self) -> dict[str, object]:
        """What is kept after a good end: warnings."""
        if self._kept is None:
            return {}
        kept = [line for line in self._kept if line[1] in _WORTH_KEEPING]
        return {"lines": kept} if kept else {}


# Nobody adds to these.
NO_LINES: Final = Lines()
# Set by an attempt's task, and so known to everything its action awaits or starts.
LINES: ContextVar[Lines] = ContextVar("imbi_kept_lines")
