"""How much memory jobs in hand may take for their bytes, and so how much may be claimed."""

# What lies in hand is a job's text and what parsing makes of it: as much again of long strings,
# three times as much of a GitHub push, more of lists of numbers.
_COST = 4


class EventBudget:
    """Counts what jobs in hand take of *limit* bytes.

    A job counts as four times its own bytes, but never as more than three quarters of the limit:
    beside one that is larger by itself, small ones still run. Jobs of one delivery count its
    event each, for each parses a copy of its own.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._most = limit * 3 // 4
        self._taken = 0

    @property
    def taken(self) -> int:
        """Bytes of memory that count as used."""
        return self._taken

    @property
    def room(self) -> int:
        """Bytes of bodies and events that a claim may bring."""
        return max(0, self._limit - self._taken) // _COST

    @property
    def fits_any(self) -> bool:
        """Whether one job may come first that is larger than the room."""
        return self._taken <= self._limit - self._most

    def take(self, size: int) -> None:
        self._taken += self._weight(size)

    def give_back(self, size: int) -> None:
        self._taken -= self._weight(size)

    def _weight(self, size: int) -> int:
        return min(size * _COST, self._most)
