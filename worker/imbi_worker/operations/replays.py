"""Dead letters replayed, with the same or another config, and thrown away.

A replay is planned first, without a write: what would run, what could not and why, and what
would only die again because today's config model refuses its config.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

import imbi_sdk
from imbi_sdk import attempt
from imbi_sdk.errors import PluginNotFoundError
from imbi_sdk.handler import parse_handler
from imbi_sdk.queue import RuleOnWire, Signer, WireError
from imbi_sdk.queue.wire import Body, decode, encode
from imbi_worker.operations.dead_letters import NO_LETTER
from imbi_worker.operations.errors import NotFound, Refused, operation_errors
from imbi_worker.queue.control import AT_ONCE, Mandate
from imbi_worker.queue.dead_letters import Discarded, ReplayResult, discard, replay
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.asking import redis_errors
from imbi_worker.queue.inspection.views import DeadLetterView, JobView

_CHUNK = 500

Verdict: TypeAlias = ReplayResult | Literal["ready", "refused", "would fail"]


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


async def plan_replay(
    inspection: Inspection,
    jobs: Sequence[str],
    *,
    config: NewConfig | None = None,
    checks_configs: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[Replay, ...]:
    """What a replay of *jobs* would do, in the order they were first enqueued. Writes nothing.

    With *checks_configs* those are told whose config today's model would refuse, as far as
    their plugins are loaded here. *on_progress* hears how many have been looked at.
    """
    validator = attempt.ConfigValidator()
    once = list(dict.fromkeys(jobs))
    plan: list[tuple[bool, int, Replay]] = []
    with operation_errors():
        for start in range(0, len(once), _CHUNK):
            chunk = once[start : start + _CHUNK]
            views = await inspection.jobs(chunk)
            letters = await inspection.dead_letters(chunk)
            bodies = await inspection.bodies(list(letters)) if checks_configs else {}
            for job in chunk:
                letter, view = letters.get(job), views.get(job)
                if letter is None:
                    planned = _no_letter(job, view)
                elif config is not None and letter.has_event:
                    planned = await _with_config(inspection, letter, config, validator)
                else:
                    planned = _as_it_is(letter, bodies.get(job), validator)
                # Lanes get their jobs back in the order they had; unknown ids come last.
                plan.append((view is None, 0 if view is None else view.seq, planned))
            if on_progress is not None:
                on_progress(start + len(chunk))
    return tuple(planned for _, _, planned in sorted(plan, key=lambda entry: entry[:2]))


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


async def discard_all(
    inspection: Inspection, jobs: Sequence[str], by: Mandate, *, scope: str
) -> AsyncGenerator[Sequence[Discarded], None]:
    """Throw dead letters away, some hundred in a step; *scope* is for the audit.

    Interrupted, the steps so far are done; another call goes on.
    """
    once = list(dict.fromkeys(jobs))
    for start in range(0, len(once), AT_ONCE):
        batch = once[start : start + AT_ONCE]
        with operation_errors(), redis_errors():
            found = await discard(
                inspection.redis, queue=inspection.queue, jobs=batch, mandate=by, scope=scope
            )
        yield found


def _no_letter(job: str, view: JobView | None) -> Replay:
    if view is None:
        return Replay(job, "", "missing", "there is no such job, or it was kept long enough")
    return Replay(job, view.handler, "not dead", f"it is {view.state}")


def _as_it_is(
    letter: DeadLetterView, body: bytes | None, validator: "attempt.ConfigValidator"
) -> Replay:
    job, handler = letter.job.id, letter.job.handler
    if not letter.has_event:
        text = "its event is gone: have the sender deliver again"
        return Replay(job, handler, "event gone", text)
    refused = None if body is None else _refused_today(job, handler, body, validator)
    if refused is not None:
        return Replay(job, handler, "would fail", refused, later_ran=letter.later_ran)
    return Replay(job, handler, "ready", later_ran=letter.later_ran)


def _refused_today(
    job: str, handler: str, body: bytes, validator: "attempt.ConfigValidator"
) -> str | None:
    """Why the config of *body* would be refused; None when it fits, or cannot be checked here."""
    try:
        config = decode(job, body).job.rule.config
        _, descriptor = imbi_sdk.find_action(*parse_handler(handler))
        validator.validate(handler, descriptor, config)
    except attempt.InvalidConfig as error:
        return f"its config does not fit {handler}: {error}"
    except WireError as error:
        return f"its body cannot be read: {error}"
    except (PluginNotFoundError, ValueError):
        # Not installed next to this command; the workers may have it.
        return None
    return None


async def _with_config(
    inspection: Inspection,
    letter: DeadLetterView,
    config: NewConfig,
    validator: "attempt.ConfigValidator",
) -> Replay:
    job, handler = letter.job.id, letter.job.handler
    try:
        _, descriptor = imbi_sdk.find_action(*parse_handler(handler))
        validator.validate(handler, descriptor, config.text)
        await _new_body(inspection, job, config)
    except attempt.InvalidConfig as error:
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


def refuse_undiscardable(one: Discarded) -> None:
    """Of a single dead letter that was named.

    :raises NotFound: there is no such job
    :raises Refused: it is not dead
    """
    match one.result:
        case "discarded":
            return
        case "missing":
            raise NotFound(f"There is no dead letter {one.job!r}.", NO_LETTER)
        case "not dead":
            hint = f"See `imbi-worker jobs why {one.job}`."
            raise Refused(f"Job {one.job} is {one.detail}, not dead.", hint)
        case _:
            assert_never(one.result)
