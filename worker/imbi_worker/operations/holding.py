"""Holds set and removed, with who does it and why."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from imbi_sdk.attempt import Redactor
from imbi_worker.operations.errors import InvalidInput, NotFound, Refused, operation_errors
from imbi_worker.queue.control import Control, Held, Mandate
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.asking import redis_errors

_LONGEST_REASON = 500
_LONGEST_HOLD = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Release:
    """What came of removing a hold. ``is_planned``: nothing was written yet."""

    scope: str
    given_back: int
    left: int
    is_planned: bool


def mandate(actor: str, reason: str, *, looks_only: bool) -> Mandate:
    """Who does something and why, ready for the audit.

    :raises InvalidInput: without a reason nothing is changed
    """
    said = Redactor().text(" ".join(reason.split()), limit=_LONGEST_REASON)
    if not said and not looks_only:
        raise InvalidInput("A reason is missing.", "Pass --reason TEXT; it is audited.")
    return Mandate(actor, said, looks_only=looks_only)


async def add_hold(
    inspection: Inspection, scope: str, *, span: timedelta | None, by: Mandate
) -> Held:
    """Stop *scope* for *span*, or without an end; an operator's hold is replaced.

    :raises Refused: a rate limit stands that ends later
    """
    if span is not None and not timedelta(0) < span <= _LONGEST_HOLD:
        raise InvalidInput("A hold lasts more than nothing and at most ten years.")
    with operation_errors(), redis_errors():
        held = await _control(inspection).hold(scope, span, by)
    if held.verdict == "longer" and held.before is not None and held.before.until is not None:
        until = held.before.until.isoformat(timespec="seconds")
        raise Refused(
            f"A rate limit holds {scope} until {until}, longer than this would.",
            "Name a later end, or none; or remove it first with `imbi-worker holds remove`.",
        )
    return held


async def remove_hold(
    inspection: Inspection,
    scope: str,
    *,
    by: Mandate,
    on_progress: Callable[[Release], None] | None = None,
) -> Release:
    """Let go of *scope*, and see all of its parked jobs back in the queue.

    They come back 1,000 at a time, each time told to *on_progress*. Interrupted, the
    workers go on with it.

    :raises NotFound: nothing holds *scope*
    """
    release = Release(scope, 0, 0, is_planned=by.looks_only)
    has_begun = False
    while True:
        with operation_errors(), redis_errors():
            step = await _control(inspection).unhold(scope, by, goes_on=has_begun)
        if step.verdict == "missing":
            if not has_begun:
                raise NotFound(f"Nothing holds {scope!r}.", "See `imbi-worker holds list`.")
            # A worker was quicker with the last of them.
            return replace(release, given_back=release.given_back + release.left, left=0)
        release = replace(release, given_back=release.given_back + step.given_back, left=step.left)
        if on_progress is not None:
            on_progress(release)
        if by.looks_only or not step.left:
            return release
        has_begun = True


def _control(inspection: Inspection) -> Control:
    return Control(inspection.redis, queue=inspection.queue)
