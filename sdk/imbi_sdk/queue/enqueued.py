"""The answer to an enqueue: what became of each job."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imbi_sdk.queue.job import ActionJob


class EnqueueStatus(StrEnum):
    """What became of one job of an enqueue."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REVIVED = "revived"


# The letters of the script's reply, one for each job.
_BY_LETTER: Final = {
    "a": EnqueueStatus.ACCEPTED,
    "d": EnqueueStatus.DUPLICATE,
    "r": EnqueueStatus.REVIVED,
}


@dataclass(frozen=True, slots=True)
class EnqueuedJob:
    """One job of an enqueue: ``id`` finds it everywhere."""

    id: str
    handler: str
    project_id: str
    status: EnqueueStatus


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The answer to an enqueue. ``calls`` above 1 says it went in several steps."""

    delivery: str
    jobs: tuple[EnqueuedJob, ...]
    calls: int

    def count(self, status: EnqueueStatus) -> int:
        return sum(job.status is status for job in self.jobs)


def answer(job: ActionJob, letter: str) -> EnqueuedJob:
    """What the script's *letter* says of *job*."""
    return EnqueuedJob(job.id, job.handler, job.context.project_id, _BY_LETTER[letter])
