"""A job in hand: what was claimed, the task that runs it, whether it is to stop, how it ended."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.finishing import Ending
from imbi_worker.queue.witness import Account


class StopReason(StrEnum):
    """Why the worker itself stops an attempt."""

    CANCELLED = "cancelled"
    LOST = "lease lost"
    DRAINED = "drained"


@dataclass(slots=True)
class Held:
    """One job, from its claim to the confirmed finish."""

    claimed: ClaimedJob
    task: asyncio.Task[None] | None = None
    stop: StopReason | None = None
    has_started: bool = False
    ending: Ending | None = None
    account: Account | None = None

    @property
    def has_ended(self) -> bool:
        return self.ending is not None
