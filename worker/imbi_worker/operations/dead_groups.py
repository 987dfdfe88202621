"""Dead letters grouped by what they died of, so that a thousand of them are three lines."""

import hashlib
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from imbi_sdk.attempt.outcome import DeathReason
from imbi_worker.operations.dead_letters import refuse_another_state
from imbi_worker.operations.errors import NotFound, operation_errors
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.deaths import Death, deaths
from imbi_worker.queue.inspection.job_filter import JobFilter
from imbi_worker.queue.inspection.views import JobView

_LENGTH: Final = 8
_LOOKED_AT: Final = 300
# What differs from one failure to the next of the same kind: addresses, ids, numbers, names.
# The status of a reply does not.
_VARIABLE: Final = re.compile(
    r"""\b\w+://\S+ | '[^']*' | "[^"]*" | \b[0-9a-fA-F]{8,}\b | \b[0-9a-fA-F-]{32,}\b
    | (?<!\d)(?<!HTTP[ ])(?<!status[ ])\d+""",
    re.VERBOSE,
)
# As ``finish.lua`` begins the error of a job that it buries for the sake of its lane.
_HELD_ITS_LANE: Final = "it held its lane too long while others of its integration succeeded: "
_HINTS: Final = {
    DeathReason.HANDLER_NOT_RESOLVABLE: "install the plugin on the workers, then replay",
    DeathReason.INVALID_CONFIG: "correct the rule, then replay with --config",
    DeathReason.MISSING_CREDENTIALS: "set them with `credentials set`, then replay",
    DeathReason.WRONG_PLUGIN: "correct the plugin id of the integration in Imbi",
    DeathReason.INVALID_EVENT: "have the sender deliver again",
    DeathReason.INVALID_JOB: "compare the gateway's imbi-sdk with the workers'",
    DeathReason.BAD_SIGNATURE: "give gateway and workers the same IMBI_WORKER_SIGNING_KEY",
    DeathReason.NOT_A_COROUTINE: "correct the plugin, see `plugins doctor`, then replay",
    DeathReason.BAD_CALLABLE: "correct the plugin, see `plugins doctor`, then replay",
    DeathReason.PERMANENT_ERROR: "mend what the error names, then replay",
    DeathReason.ATTEMPTS_EXHAUSTED: "replay when the service answers again",
    DeathReason.TOO_OLD: "replay when the service answers again",
    DeathReason.DEFERRED_TOO_LONG: "replay when the rate limit or the hold is over",
    DeathReason.OUTCOME_UNKNOWN: "look at what the action has done, then replay or discard",
    DeathReason.POISON_PILL: "it killed its worker twice: mend the action before a replay",
    DeathReason.OVERTAKEN: "replay, if its older state may still be written",
    DeathReason.BODY_LOST: "have the sender deliver again, and discard",
}


@dataclass(frozen=True, slots=True)
class DeadGroup:
    """Dead letters of one handler that died of the same; *error* and *job* are the newest's."""

    id: str
    handler: str
    reason: str
    error: str
    count: int
    first: datetime | None
    last: datetime | None
    hint: str
    job: str


@dataclass(slots=True)
class _Tally:
    newest: Death
    oldest: Death
    count: int = 0


@dataclass(slots=True)
class Grouping:
    """Puts dead letters, newest first, into groups."""

    _tallies: dict[str, _Tally] = field(default_factory=dict)

    def add(self, job: Death) -> None:
        tally = self._tallies.setdefault(fingerprint(job), _Tally(job, job))
        tally.count += 1
        if job.ended_ms:
            tally.oldest = job

    def groups(self) -> tuple[DeadGroup, ...]:
        """The largest first."""
        found = [
            DeadGroup(
                id=id_,
                handler=tally.newest.handler,
                reason=tally.newest.reason,
                error=tally.newest.error,
                count=tally.count,
                first=tally.oldest.ended,
                last=tally.newest.ended,
                hint=hint(tally.newest),
                job=tally.newest.id,
            )
            for id_, tally in self._tallies.items()
        ]
        return tuple(sorted(found, key=lambda group: -group.count))


def fingerprint(job: Death) -> str:
    """Equal for jobs of one handler whose errors differ in ids, numbers and names only."""
    error = _VARIABLE.sub("?", job.error[:_LOOKED_AT]).casefold()
    parts = (job.handler, job.reason, " ".join(error.split()))
    digest = hashlib.sha256("\0".join(parts).encode(errors="replace"))
    return digest.hexdigest()[:_LENGTH]


def cause(group: DeadGroup) -> str:
    """What its newest died of, in few words. That it held its lane is said by one of them."""
    if group.error.startswith(_HELD_ITS_LANE):
        return f"overtaken: {group.error.removeprefix(_HELD_ITS_LANE)}"
    return group.error or group.reason


def hint(job: Death | JobView) -> str:
    """What to do about a dead letter, in a few words."""
    try:
        return _HINTS[DeathReason(job.reason)]
    except (ValueError, KeyError):
        return "look at one with `dead show`"


async def list_groups(inspection: Inspection, wanted: JobFilter) -> tuple[DeadGroup, ...]:
    """All dead letters that match, in groups.

    :raises Unavailable: Redis does not answer
    """
    grouping = Grouping()
    async for job in _matching(inspection, wanted):
        grouping.add(job)
    return grouping.groups()


async def members(inspection: Inspection, group: str, wanted: JobFilter) -> list[str]:
    """The ids of a group's dead letters, newest first.

    :raises NotFound: there is no such group
    """
    found = [job.id async for job in _matching(inspection, wanted) if fingerprint(job) == group]
    if not found:
        raise NotFound(f"There is no group {group!r}.", "See `imbi-worker dead groups`.")
    return found


async def _matching(inspection: Inspection, wanted: JobFilter) -> AsyncGenerator[Death, None]:
    refuse_another_state(wanted)
    with operation_errors():
        async for page in deaths(inspection, wanted):
            for job in page:
                yield job
