"""A clock that stands still, and the canary that must show nowhere."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class StillClock:
    """Time as the test sets it."""

    moment: datetime = NOON
    position: float = 1.0

    def now(self) -> datetime:
        return self.moment

    def jitter(self) -> float:
        return self.position


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def canary() -> str:
    return "canary-4f1d-do-not-leak"
