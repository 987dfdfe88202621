"""What becomes of a job whose attempt came to no verdict.

It is given back, cancelled, was claimed once more by its own worker, or met a defect of ours.
"""

from datetime import timedelta
from typing import Final

from imbi_sdk.attempt.outcome import Dead, DeathReason, Outcome, Retry
from imbi_worker.queue.claims import ClaimedJob
from imbi_worker.queue.finishing import Ending

_ENDS: Final = frozenset({"succeeded", "skipped", "dead", "cancelled"})
_AFTER_OUR_OWN_BUG: Final = timedelta(seconds=30)
_MOST_OF_OUR_OWN_BUG: Final = 8


def released(claimed: ClaimedJob, *, has_begun: bool = False) -> Ending:
    """Another worker may have it at once; no attempt is used."""
    status = "begun" if has_begun else ""
    return Ending(claimed.id, claimed.token, "released", counts=False, status=status)


def cancelled(claimed: ClaimedJob) -> Ending:
    ending = Ending(claimed.id, claimed.token, "cancelled", counts=False, status="skipped")
    return ending._replace(reason="cancelled")


def under(claimed: ClaimedJob, ending: Ending, run: int) -> Ending:
    """What to say of a job that had ended here, in *run*, when this worker claimed it once more.

    An end of the same run stands: Redis cannot have written it, or there was nothing to
    claim. A retry or deferral may be written already, so this is the run it asked for.
    """
    if ending.kind not in _ENDS or claimed.run != run:
        return released(claimed)
    return ending._replace(token=claimed.token)


def own_defect(claimed: ClaimedJob, error: Exception) -> Outcome:
    """Tried again some times: it may be a defect of this version alone."""
    text = f"imbi-worker: {type(error).__name__} in the worker itself; see its log"
    if claimed.number >= _MOST_OF_OUR_OWN_BUG:
        return Dead(DeathReason.ATTEMPTS_EXHAUSTED, text)
    return Retry(_AFTER_OUR_OWN_BUG, text)
