"""One attempt from config text to verdict: the path that production and tests share.

validate config -> parse event -> supplies -> call within the timeout -> classify -> redact
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from imbi_sdk.attempt.call import (
    BadCallable,
    End,
    Interrupted,
    NoCoroutine,
    Raised,
    Returned,
    TimedOut,
    call,
)
from imbi_sdk.attempt.classification import classify, time_out
from imbi_sdk.attempt.config import ConfigValidator, InvalidConfig
from imbi_sdk.attempt.describe import describe_trace
from imbi_sdk.attempt.event import InvalidEvent, body_of, parse_event
from imbi_sdk.attempt.failure import Kind, sort
from imbi_sdk.attempt.outcome import Dead, DeathReason, Outcome, Retry, Succeeded
from imbi_sdk.attempt.own_secrets import secrets_in_config, secrets_in_headers
from imbi_sdk.attempt.redaction import Redactor
from imbi_sdk.attempt.verdict import Assignment, Clock, Settled, Verdict


@dataclass(frozen=True, slots=True)
class Tools:
    """What attempts share: the memory of configs, the secrets in use, time and chance."""

    clock: Clock
    configs: ConfigValidator = field(default_factory=ConfigValidator)
    redactor: Redactor = field(default_factory=Redactor)


async def run_attempt(assignment: Assignment, tools: Tools) -> Verdict:
    """Run one attempt.

    Raises nothing but, when its own task is cancelled, a ``CancelledError``: `Interrupted`
    once the action was called.
    """
    run = _Run(assignment, tools)
    unfinished: asyncio.Task[Any] | None = None
    try:
        verdict = await run.verdict()
        unfinished = verdict.unfinished
    except asyncio.CancelledError as error:
        if not run.has_called:
            raise
        interrupted = error if isinstance(error, Interrupted) else Interrupted()
        unfinished = interrupted.unfinished
        raise interrupted from None
    finally:
        run.release_secrets(after=unfinished)
    return verdict


class _Run:
    """The state of one attempt: the deadline, how long the action has run, its secrets."""

    def __init__(self, assignment: Assignment, tools: Tools) -> None:
        self._assignment = assignment
        self._tools = tools
        self._secrets: tuple[str, ...] = ()
        self._called_at: float | None = None

    @property
    def has_called(self) -> bool:
        """Whether the action was called; what it has done is then unknown until it ends."""
        return self._called_at is not None

    def release_secrets(self, *, after: "asyncio.Task[Any] | None") -> None:
        """At once, or when *after*, an action that goes on, has ended."""
        if after is None:
            self._tools.redactor.release(self._secrets)
        else:
            after.add_done_callback(lambda _: self._tools.redactor.release(self._secrets))

    async def verdict(self) -> Verdict:
        try:
            return self._judge(await self._end())
        except Settled as settled:
            return Verdict(settled.outcome, self._duration())
        except InvalidConfig as error:
            text = self._tools.redactor.text(f"invalid handler_config: {error}")
            return Verdict(Dead(DeathReason.INVALID_CONFIG, text, reported_as="skipped"))
        except InvalidEvent as error:
            return Verdict(Dead(DeathReason.INVALID_EVENT, f"invalid event: {error}"))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if isinstance(error, Interrupted) or (task is not None and task.cancelling()):
                raise
            # Out of a lookup that was cancelled from within.
            return self._judge(Raised(error))
        except Exception as error:  # noqa: BLE001 - a lookup that fails is an attempt that failed
            return self._judge(Raised(error))

    async def _end(self) -> End:
        end = await self._call(fresh=False)
        if isinstance(end, Raised) and self._is_refused(end.error):
            return await self._call(fresh=True)
        return end

    def _is_refused(self, error: BaseException) -> bool:
        return sort(error, self._tools.clock.now()).kind is Kind.AUTHENTICATION

    async def _call(self, *, fresh: bool) -> End:
        given = self._assignment
        descriptor = given.action.descriptor
        config = self._tools.configs.validate(given.action.handler, descriptor, given.config)
        event = await parse_event(given.event)
        supplies = await given.supply(fresh=fresh)
        secrets = (
            *supplies.credentials.values(),
            *secrets_in_config(given.config),
            *secrets_in_headers(event),
        )
        if secrets:
            self._secrets += self._tools.redactor.register(secrets)
        start = partial(
            descriptor.callable,
            ctx=supplies.context,
            credentials=dict(supplies.credentials),
            external_identifier=given.external_identifier,
            action_config=config,
            **({"payload": body_of(event)} if given.action.kind == "payload" else {"event": event}),
        )
        return await call(
            start,
            within=self._remaining(),
            grace=given.limits.grace,
            name=f"action {given.action.handler}",
        )

    def _remaining(self) -> timedelta:
        """What is left of the timeout; the first call starts it, the second one shares it."""
        now = asyncio.get_running_loop().time()
        if self._called_at is None:
            self._called_at = now
        return self._assignment.limits.timeout - timedelta(seconds=now - self._called_at)

    def _duration(self) -> timedelta | None:
        if self._called_at is None:
            return None
        return timedelta(seconds=asyncio.get_running_loop().time() - self._called_at)

    def _judge(self, end: End) -> Verdict:
        duration = self._duration()
        if isinstance(end, Returned):
            return Verdict(Succeeded(), duration)
        now, jitter = self._tools.clock.now(), self._tools.clock.jitter()
        standing = self._assignment.standing
        if isinstance(end, TimedOut):
            timeout = self._assignment.limits.timeout
            outcome = time_out(timeout, standing, now=now, jitter=jitter)
            return Verdict(outcome, duration, end.unfinished)
        redactor = self._tools.redactor
        outcome = _unfit(end.error, redactor) or classify(
            end.error, standing, now=now, jitter=jitter, redact=redactor.text
        )
        kind = sort(end.error, now).kind
        return Verdict(outcome, duration, trace=_trace(end.error, outcome, redactor), kind=kind)


def _unfit(error: BaseException, redactor: Redactor) -> Outcome | None:
    match error:
        case BadCallable():
            return Dead(DeathReason.BAD_CALLABLE, redactor.text(str(error)))
        case NoCoroutine():
            return Dead(DeathReason.NOT_A_COROUTINE, redactor.text(str(error)))
        case _:
            return None


def _trace(error: BaseException, outcome: Outcome, redactor: Redactor) -> str | None:
    if isinstance(outcome, Retry | Dead):
        return redactor.trace(describe_trace(error))
    return None
