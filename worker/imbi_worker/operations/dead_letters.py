"""Dead letters: looked at, and replayed with the same or another config.

A replay is planned first, without a write: what would run, what could not and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import imbi_sdk
from imbi_sdk.attempt import ConfigValidator, InvalidConfig
from imbi_sdk.errors import PluginNotFoundError
from imbi_sdk.handler import parse_handler
from imbi_sdk.queue import RuleOnWire, Signer, WireError
from imbi_sdk.queue.wire import Body, decode, encode
from imbi_worker.operations.errors import InvalidInput, NotFound, Refused, operation_errors
from imbi_worker.queue.dead_letters import ReplayResult, replay
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.listing import InvalidCursor, JobFilter, Listing
from imbi_worker.queue.inspection.reading import redis_errors
from imbi_worker.queue.inspection.views import DeadLetterView, JobView, Page, State

# As many as Redis keeps.
MOST = 10_000
_PAGE = 500
_NO_LETTER = "See `imbi-worker dead list`; dead letters are kept for 30 days."

Verdict: TypeAlias = ReplayResult | Literal["ready", "refused"]


@dataclass(frozen=True, slots=True)
class Replay:
    """One dead letter of a replay: what will become of it, or became of it."""

    job: str
    handler: str
    verdict: Verdict
    detail: str = ""
    later_ran: bool = False


@dataclass(frozen=True, slots=True)
class NewConfig:
    """Another ``handler_config`` for a replay. *signer* is who signs the changed body."""

    text: str
    signer: Signer | None
    accepts_unsigned: bool


async def list_dead(
    inspection: Inspection, wanted: JobFilter, *, limit: int, cursor: str | None = None
) -> Page[DeadLetterView]:
    """A page of dead letters, newest first.

    :raises InvalidInput: *cursor* is from another list
    """
    dead = replace(wanted, state=State.DEAD)
    with operation_errors():
        try:
            return await Listing(inspection).dead_letters(dead, limit=limit, cursor=cursor)
        except InvalidCursor as error:
            hint = "Leave --cursor out to begin at the top."
            raise InvalidInput(f"{error}.", hint) from None


async def dead_letter(inspection: Inspection, job: str) -> DeadLetterView:
    """One dead letter.

    :raises NotFound: there is no such job
    :raises Refused: it is not dead
    """
    with operation_errors():
        views = await inspection.jobs([job])
        letters = await inspection.dead_letters([job])
    if job in letters:
        return letters[job]
    if job in views:
        raise Refused(
            f"Job {job} is {views[job].state}, not dead.", f"See `imbi-worker jobs show {job}`."
        )
    raise NotFound(f"There is no dead letter {job!r}.", _NO_LETTER)


async def all_matching(inspection: Inspection, wanted: JobFilter) -> list[str]:
    """The ids of every dead letter that matches."""
    found: list[DeadLetterView] = []
    cursor: str | None = None
    while True:
        page = await list_dead(inspection, wanted, limit=_PAGE, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None or len(found) >= MOST:
            return [letter.job.id for letter in found]


async def plan_replay(
    inspection: Inspection, jobs: Sequence[str], *, config: NewConfig | None = None
) -> tuple[Replay, ...]:
    """What a replay of *jobs* would do, in the order they were first enqueued. Writes nothing."""
    with operation_errors():
        views = await inspection.jobs(jobs)
        letters = await inspection.dead_letters(jobs)
        validator = ConfigValidator()
        plan: list[Replay] = []
        for job in _in_order(jobs, views):
            letter, view = letters.get(job), views.get(job)
            if letter is None:
                plan.append(_no_letter(job, view))
            elif not letter.has_event:
                text = "its event is gone: have the sender deliver again"
                plan.append(Replay(job, letter.job.handler, "event gone", text))
            elif config is not None:
                plan.append(await _with_config(inspection, letter, config, validator))
            else:
                plan.append(Replay(job, letter.job.handler, "ready", later_ran=letter.later_ran))
        return tuple(plan)


async def replay_one(
    inspection: Inspection,
    planned: Replay,
    *,
    actor: str,
    reason: str,
    config: NewConfig | None = None,
) -> Replay:
    """Replay a letter that was planned as ready; the others are returned as they are.

    *actor* and *reason* go to the audit. What changed since the plan was made is found
    by Redis, in one step with the write.
    """
    if planned.verdict != "ready":
        return planned
    with operation_errors():
        body = b"" if config is None else await _new_body(inspection, planned.job, config)
        with redis_errors():
            done = await replay(
                inspection.redis,
                queue=inspection.queue,
                job=planned.job,
                actor=actor,
                reason=reason,
                body=body,
            )
    return Replay(planned.job, planned.handler, done.result, later_ran=done.later_ran)


def _in_order(jobs: Sequence[str], views: dict[str, JobView]) -> list[str]:
    """Lanes get their jobs back in the order they had; unknown ids come last."""
    once = dict.fromkeys(jobs)
    return sorted(once, key=lambda job: (job not in views, views[job].seq if job in views else 0))


def _no_letter(job: str, view: JobView | None) -> Replay:
    if view is None:
        return Replay(job, "", "missing", "there is no such job, or it was kept long enough")
    return Replay(job, view.handler, "not dead", f"it is {view.state}")


async def _with_config(
    inspection: Inspection, letter: DeadLetterView, config: NewConfig, validator: ConfigValidator
) -> Replay:
    job, handler = letter.job.id, letter.job.handler
    try:
        _, descriptor = imbi_sdk.find_action(*parse_handler(handler))
        validator.validate(handler, descriptor, config.text)
        await _new_body(inspection, job, config)
    except InvalidConfig as error:
        return Replay(job, handler, "refused", f"the config does not fit {handler}: {error}")
    except (PluginNotFoundError, ValueError) as error:
        return Replay(job, handler, "refused", f"the config cannot be checked: {error}")
    except Refused as error:
        return Replay(job, handler, "refused", error.message)
    return Replay(job, handler, "ready", "with the new config", later_ran=letter.later_ran)


async def _new_body(inspection: Inspection, job: str, config: NewConfig) -> bytes:
    """The stored body with another config, signed anew.

    A body that our own keys do not vouch for is not signed: that would make a forged
    job a genuine one.
    """
    stored = await inspection.stored(job)
    if stored is None or stored.body is None:
        raise Refused(f"The body of job {job} is gone.", "Have the sender deliver again.")
    try:
        body = decode(job, stored.body)
    except WireError as error:
        text = f"The body of job {job} cannot be read: {error}."
        raise Refused(text, "Have the sender deliver again.") from None
    if not _is_vouched_for(body, config):
        raise Refused(
            f"The body of job {job} is not signed with a key of ours, and stays as it is.",
            "Give this command the gateway's IMBI_WORKER_SIGNING_KEY.",
        )
    old = body.job
    rule = RuleOnWire(handler=old.handler, ordinal=old.rule.ordinal, config=config.text)
    changed = old.model_copy(update={"rule": rule})
    enqueued = stored.view.enqueued
    milliseconds = 0 if enqueued is None else int(enqueued.timestamp() * 1000)
    return encode(changed, signer=config.signer, enqueued_ms=milliseconds)


def _is_vouched_for(body: Body, config: NewConfig) -> bool:
    if body.job.sig is None:
        return config.accepts_unsigned
    return config.signer is not None and body.is_signed_by(config.signer)
