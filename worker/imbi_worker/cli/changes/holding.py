"""Holds as a conversation: set, changed, removed, with what that means for jobs."""

from datetime import timedelta

from imbi_worker.cli import durations
from imbi_worker.cli.output import Output, stamp
from imbi_worker.cli.session import Session, actor
from imbi_worker.operations.holding import Release, add_hold, mandate, remove_hold
from imbi_worker.queue.control import Held


def span_of(text: str | None) -> timedelta | None:
    """How long a hold is to stand; None for one without an end."""
    return None if text is None else durations.parse(text)


async def hold(
    session: Session,
    output: Output,
    *,
    scope: str,
    span: str | None,
    reason: str | None,
    is_dry: bool,
) -> None:
    """Set a hold and tell what it replaced."""
    by = mandate(actor(), reason or "", looks_only=is_dry)
    held = await add_hold(session.inspection, scope, span=span_of(span), by=by)
    if output.as_json:
        output.record({"scope": scope, **_told(held)})
        return
    before = held.before
    if before is not None:
        what = "a rate limit" if before.kind == "rate_limit" else f"a hold of {before.actor}"
        ends = f"until {stamp(before.until)}" if before.until is not None else "without an end"
        output.say(f"It replaces {what} {ends} ({before.reason}).")
    ends = f"until {stamp(held.until)}" if held.until is not None else "until it is removed"
    output.say(
        f"{scope} {'would be' if is_dry else 'is'} held {ends}. What runs goes on; what waits stays"
        " in its order."
    )


async def release(
    session: Session, output: Output, *, scope: str, reason: str | None, is_dry: bool
) -> None:
    """Remove a hold and see its jobs back."""
    by = mandate(actor(), reason or "", looks_only=is_dry)

    def on_progress(step: Release) -> None:
        if step.left and not is_dry:
            output.say(f"Parked jobs that are back: {step.given_back:,}, to go: {step.left:,} …")

    done = await remove_hold(session.inspection, scope, by=by, on_progress=on_progress)
    if output.as_json:
        output.record(done)
    elif is_dry:
        output.say(f"{scope} would be free. Parked jobs that would come back: {done.left:,}.")
    else:
        output.say(f"{scope} is free. Parked jobs that are back: {done.given_back:,}.")


def _told(held: Held) -> dict[str, object]:
    return {
        "verdict": held.verdict,
        "until": held.until,
        "parked": held.parked,
        "before": held.before,
    }
