"""From an attempt to its verdict.

    resolve -> admit -> validate config -> credentials -> context -> call -> classify

Nothing here knows of queues: what a verdict means for one is the engine's business.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from imbi_sdk.actions import CallableKind, UnfitCallable
from imbi_sdk.attempt import (
    Action,
    Assignment,
    Dead,
    DeathReason,
    Limits,
    Redactor,
    RetryPolicy,
    Settled,
    Standing,
    Tools,
    Verdict,
    run_attempt,
)
from imbi_sdk.attempt.describe import describe
from imbi_sdk.attempt.repetition import is_idempotent
from imbi_sdk.errors import ActionNotFoundError, PluginNotFoundError
from imbi_worker.dispatch.attempt import Attempt, Terms
from imbi_worker.dispatch.integrations import Integrations
from imbi_worker.dispatch.opened import OpenedCredentials
from imbi_worker.dispatch.ports import (
    Clock,
    Credentials,
    FetchObserver,
    GraphReader,
    Identity,
    Registry,
    Resolved,
)
from imbi_worker.dispatch.supplies import JobSupply, Sources

_NO_POLICIES: Final[Mapping[str, RetryPolicy]] = MappingProxyType({})
_NO_TIMEOUTS: Final[Mapping[str, timedelta]] = MappingProxyType({})
_DEFAULTS: Final = Limits()
_UNFIT: Final = {
    "no coroutine function": DeathReason.NOT_A_COROUTINE,
    "bad signature": DeathReason.BAD_CALLABLE,
}


class Dispatcher:
    """Runs attempts. One per worker; attempts share its caches."""

    def __init__(
        self,
        *,
        registry: Registry,
        graph: GraphReader,
        credentials: Credentials,
        identity: Identity,
        clock: Clock,
        redactor: Redactor,
        policy: RetryPolicy | None = None,
        policies: Mapping[str, RetryPolicy] = _NO_POLICIES,
        default_timeout: timedelta = _DEFAULTS.timeout,
        timeouts: Mapping[str, timedelta] = _NO_TIMEOUTS,
        grace: timedelta = _DEFAULTS.grace,
        lookup: timedelta = _DEFAULTS.lookup,
        on_fetch: FetchObserver | None = None,
    ) -> None:
        """*policies* and *timeouts* are by handler and stand above the defaults.

        What an action's descriptor declares stands above both. *lookup* bounds
        each reading of the graph, *on_fetch* hears of each look for credentials.
        """
        self._registry = registry
        self._integrations = Integrations(graph, clock, lookup=lookup)
        self._sources = Sources(
            self._integrations, OpenedCredentials(credentials), identity, clock, on_fetch
        )
        self._tools = Tools(clock=clock, redactor=redactor)
        self._policy = policy or RetryPolicy()
        self._policies = policies
        self._defaults = Limits(default_timeout, grace, lookup)
        self._timeouts = timeouts

    @property
    def graph_down_until(self) -> datetime | None:
        """When to ask the graph again; None while it answers.

        Until then jobs with a plugin id had better not be claimed. It may lie in the
        past: nobody has asked since.
        """
        return self._integrations.outage.until

    def terms(self, handler: str) -> Terms:
        """What its attempts run under. Never raises: an unknown handler has the defaults."""
        policy = self._policies.get(handler, self._policy)
        try:
            resolved = self._registry.find(handler)
        except Exception:  # noqa: BLE001 - run() says what is wrong, and only once
            return Terms(self._defaults, policy.max_attempts)
        return Terms(
            self._limits(handler, resolved),
            policy.for_action(resolved.descriptor).max_attempts,
            resolved.entry.package_version,
        )

    async def run(self, attempt: Attempt) -> Verdict:
        """Run *attempt*.

        Raises nothing but, when the caller's own task is cancelled, a ``CancelledError``:
        `imbi_sdk.attempt.Interrupted` once the action was called.
        """
        try:
            resolved = self._resolve(attempt.job.handler)
            kind = _fit(resolved)
            standing = self._standing(attempt, resolved)
            _admit(attempt, standing)
        except Settled as settled:
            return Verdict(settled.outcome)
        job = attempt.job
        assignment = Assignment(
            action=Action(job.handler, resolved.descriptor, kind),
            supply=JobSupply(self._sources, job, resolved, standing),
            config=job.rule.config,
            event=attempt.event,
            external_identifier=job.external_identifier,
            standing=standing,
            limits=self._limits(job.handler, resolved),
        )
        return await run_attempt(assignment, self._tools)

    def _resolve(self, handler: str) -> Resolved:
        try:
            return self._registry.find(handler)
        except Exception as error:  # noqa: BLE001 - whatever keeps a handler from resolving
            reason = self._tools.redactor.text(_why_not(error))
            text = f"{DeathReason.HANDLER_NOT_RESOLVABLE}: {reason}"
            dead = Dead(DeathReason.HANDLER_NOT_RESOLVABLE, text, reported_as="skipped")
            raise Settled(dead) from None

    def _standing(self, attempt: Attempt, resolved: Resolved) -> Standing:
        job = attempt.job
        policy = self._policies.get(job.handler, self._policy)
        return Standing(
            policy=policy.for_action(resolved.descriptor),
            plugin_id=job.plugin_id,
            attempts_used=attempt.attempts_used,
            first_failed_at=attempt.first_failed_at,
            held=attempt.held,
            deferred_since=attempt.deferred_since,
            is_idempotent=is_idempotent(
                job.handler, resolved.descriptor, job.rule.config, self._tools.configs
            ),
        )

    def _limits(self, handler: str, resolved: Resolved) -> Limits:
        timeout = resolved.descriptor.timeout or self._timeouts.get(handler)
        if timeout is None:
            return self._defaults
        return Limits(timeout, self._defaults.grace, self._defaults.lookup)


def _why_not(error: Exception) -> str:
    if isinstance(error, PluginNotFoundError) and not isinstance(error, ActionNotFoundError):
        return (
            f"no plugin {error.slug!r} is installed on this worker; "
            "install it or correct the rule, then replay"
        )
    return describe(error)


def _fit(resolved: Resolved) -> CallableKind:
    if isinstance(resolved.kind, UnfitCallable):
        raise Settled(Dead(_UNFIT[resolved.kind.kind], resolved.kind.text))
    return resolved.kind


def _admit(attempt: Attempt, standing: Standing) -> None:
    """Stop what must not run again."""
    if attempt.after_unknown and not standing.is_idempotent:
        text = (
            "nobody knows how the previous run ended, and the action is declared not idempotent; "
            "look at what it has done, then replay or discard"
        )
        raise Settled(Dead(DeathReason.OUTCOME_UNKNOWN, text))
    limit = standing.policy.max_attempts
    if attempt.attempts_used >= limit:
        text = f"{attempt.attempts_used} of {limit} attempts are used"
        if attempt.crashes:
            text += f", {attempt.crashes} of them ended with their worker"
        raise Settled(Dead(DeathReason.ATTEMPTS_EXHAUSTED, text))
