"""One action, run as the worker runs it: `imbi_sdk.attempt` with everything around it given."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from imbi_sdk.actions import UnfitCallable, callable_kind
from imbi_sdk.admission import Admitted, Refused, Unsupported, examine
from imbi_sdk.attempt import (
    Action,
    Assignment,
    Clock,
    Dead,
    DeathReason,
    HandlerOutcome,
    Limits,
    Outcome,
    Redactor,
    RetryPolicy,
    Standing,
    Tools,
    handler_outcome,
    run_attempt,
)
from imbi_sdk.attempt.repetition import is_idempotent
from imbi_sdk.context import PluginContext
from imbi_sdk.errors import ActionNotFoundError
from imbi_sdk.handler import parse_handler
from imbi_sdk.registry import RegistryEntry, find_action
from imbi_sdk.testing.configs import text_of
from imbi_sdk.testing.context import sample_context
from imbi_sdk.testing.supply import PLUGIN_ID, StoredSupply
from imbi_sdk.webhook import ActionDescriptor

_NOTHING: Final[Mapping[str, Any]] = {}
_UNFIT: Final = {
    "no coroutine function": DeathReason.NOT_A_COROUTINE,
    "bad signature": DeathReason.BAD_CALLABLE,
}


@dataclass(frozen=True, slots=True)
class ActionRun:
    """What a run came to; its texts have passed the redactor, as in production.

    *duration* is None when the action was not called, *trace* is the traceback of a
    failure. *unfinished* is an action that went on after its cancel and its grace.
    """

    handler: str
    outcome: Outcome
    duration: timedelta | None = None
    trace: str | None = field(default=None, repr=False)
    unfinished: "asyncio.Task[Any] | None" = field(default=None, repr=False)

    @property
    def reported(self) -> HandlerOutcome | None:
        """The line in Imbi's activity feed; None while the job would run again."""
        return handler_outcome(self.handler, self.outcome, self.duration)


class FakeClock:
    """Stands at *moment*, or shows the real time; a retry waits its whole window."""

    def __init__(self, moment: datetime | None = None) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment or datetime.now(UTC)

    def jitter(self) -> float:
        return 1.0


async def run_action(
    plugin: type | str,
    action: str | None = None,
    *,
    event: Mapping[str, Any],
    config: Mapping[str, Any] | Sequence[Any] | str = _NOTHING,
    credentials: Mapping[str, str] = _NOTHING,
    context: PluginContext | None = None,
    external_identifier: str = "",
    timeout: timedelta | float | None = None,  # noqa: ASYNC109 - of the attempt, as the worker has it
    grace: timedelta | float = 5.0,
    attempt: int = 1,
    policy: RetryPolicy | None = None,
    clock: Clock | None = None,
    redactor: Redactor | None = None,
) -> ActionRun:
    """Run one attempt of an action and say what the worker would make of it.

    *plugin* is a plugin class, with the name of the *action* unless it has only one,
    or the handler ``slug#action`` of a loaded plugin. *event* is a whole event
    context, *config* what a rule says (an object, a list or JSON text). Credentials the
    manifest requires and *credentials* lacks end the run as they end a job.
    *timeout* (seconds or a timedelta) stands above the action's own; *attempt* above 1
    says that earlier ones have failed. Plugins' errors are never raised.

    :raises ActionNotFoundError: the plugin has no such action
    :raises ValueError: the plugin would not load; says why
    :raises Interrupted: the caller was cancelled while the action ran
    """
    handler, entry, descriptor = _resolve(plugin, action)
    kind = callable_kind(descriptor)
    if isinstance(kind, UnfitCallable):
        return ActionRun(handler, Dead(_UNFIT[kind.kind], kind.text))
    text = text_of(config)
    tools = Tools(clock=clock or FakeClock(), redactor=redactor or Redactor())
    assignment = Assignment(
        action=Action(handler, descriptor, kind),
        supply=StoredSupply(entry, credentials, context or _context_of(event)),
        config=text,
        event=json.dumps(dict(event), allow_nan=False).encode(),
        external_identifier=external_identifier,
        standing=Standing(
            policy=(policy or RetryPolicy()).for_action(descriptor),
            plugin_id=PLUGIN_ID,
            attempts_used=attempt - 1,
            is_idempotent=is_idempotent(handler, descriptor, text, tools.configs),
        ),
        limits=_limits(descriptor, timeout, grace),
    )
    verdict = await run_attempt(assignment, tools)
    return ActionRun(handler, verdict.outcome, verdict.duration, verdict.trace, verdict.unfinished)


def admit(plugin: type) -> Admitted:
    """What the registry would make of *plugin*.

    :raises ValueError: it would not load; says why
    """
    match examine(plugin.__name__, plugin):
        case Refused(reason):
            raise ValueError(f"{plugin.__name__} would not load: {reason}")
        case Unsupported(api_version):
            raise ValueError(f"{plugin.__name__} would not load: api_version={api_version}")
        case Admitted() as admitted:
            return admitted


def _resolve(plugin: type | str, action: str | None) -> tuple[str, RegistryEntry, ActionDescriptor]:
    if isinstance(plugin, str):
        if action is not None:
            raise ValueError("give a plugin class and an action, or a handler alone")
        return (plugin, *find_action(*parse_handler(plugin)))
    admitted = admit(plugin)
    slug, known = admitted.manifest.slug, admitted.actions
    if action is None and len(known) != 1:
        raise ValueError(f"{plugin.__name__} has {len(known)} actions; name one of {sorted(known)}")
    name = next(iter(known)) if action is None else action
    if name not in known:
        raise ActionNotFoundError(slug, name, known)
    entry = RegistryEntry(admitted.handler_cls, admitted.manifest, "under-test", "0")
    return f"{slug}#{name}", entry, known[name]


def _context_of(event: Mapping[str, Any]) -> PluginContext:
    service = event.get("third_party_service")
    return sample_context(service=service if isinstance(service, str) else None)


def _limits(
    descriptor: ActionDescriptor, timeout: timedelta | float | None, grace: timedelta | float
) -> Limits:
    chosen = descriptor.timeout if timeout is None else _span(timeout)
    return Limits(timeout=chosen or Limits().timeout, grace=_span(grace))


def _span(length: timedelta | float) -> timedelta:
    return length if isinstance(length, timedelta) else timedelta(seconds=length)
