"""Credentials and context: what an action is given, looked up just before its call."""

import asyncio
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from imbi_sdk.attempt import Dead, DeathReason, Settled, Standing, Supplies, defer
from imbi_sdk.context import PluginContext
from imbi_sdk.counterpart import context_for
from imbi_sdk.errors import GraphUnavailable, PluginCredentialsMissing
from imbi_sdk.graph import PluginRecord
from imbi_sdk.queue.job import ActionJob
from imbi_worker.dispatch.integrations import Integrations
from imbi_worker.dispatch.opened import Opened, OpenedCredentials
from imbi_worker.dispatch.ports import (
    Clock,
    Fetch,
    FetchObserver,
    Identity,
    Integration,
    Resolved,
)

GRAPH_AWAY: Final = "graph unreachable"
_NO_INTEGRATION: Final = Integration()


@dataclass(frozen=True, slots=True)
class Sources:
    """The ports that supplies come from."""

    integrations: Integrations
    credentials: OpenedCredentials
    identity: Identity
    clock: Clock
    on_fetch: FetchObserver | None = None


@dataclass(slots=True)
class JobSupply:
    """The supplies of one attempt; keeps what it uses open, and remembers which integration."""

    sources: Sources
    job: ActionJob
    resolved: Resolved
    standing: Standing
    _used: Integration | None = field(default=None, init=False)
    _opened: Opened | None = field(default=None, init=False, repr=False)
    _fetch: Fetch = field(default="ok", init=False)

    async def __call__(self, *, fresh: bool) -> Supplies:
        began = asyncio.get_running_loop().time()
        try:
            integration = await self._integration(stale=self._used if fresh else None)
            self._used = integration
            _refuse_foreign(integration.record, self.job, self.resolved.slug)
            self._opened = opened = self._open(integration)
        finally:
            self._tell(began)
        context = _context(self.job, integration.record, self.sources.identity)
        return Supplies(context_for(self.resolved.entry.handler_cls, context), opened.values)

    async def _integration(self, *, stale: Integration | None) -> Integration:
        if self.job.plugin_id is None:
            return _NO_INTEGRATION
        sources, plugin_id = self.sources, self.job.plugin_id
        with_application = sources.credentials.uses_application(self.resolved.entry)
        kept = sources.integrations.kept(plugin_id, with_application=with_application, stale=stale)
        if kept is not None:
            self._fetch = "cached"
            return kept
        self._fetch = "unavailable"
        try:
            found = await sources.integrations.find(
                plugin_id, with_application=with_application, stale=stale
            )
        except GraphUnavailable:
            now = sources.clock.now()
            until = sources.integrations.outage.note(now)
            outcome = defer(until, GRAPH_AWAY, self.standing, now=now)
            raise Settled(outcome) from None
        self._fetch = "ok"
        return found

    def _open(self, integration: Integration) -> Opened:
        try:
            return self.sources.credentials.open(integration, self.resolved.entry)
        except PluginCredentialsMissing as error:
            self._fetch = "missing" if error.__cause__ is None else "decrypt_error"
            text = f"{DeathReason.MISSING_CREDENTIALS}: {error}"
        raise Settled(Dead(DeathReason.MISSING_CREDENTIALS, text, reported_as="skipped"))

    def _tell(self, began: float) -> None:
        on_fetch = self.sources.on_fetch
        if on_fetch is not None and self.job.plugin_id is not None:
            on_fetch(self._fetch, asyncio.get_running_loop().time() - began)


def _refuse_foreign(record: PluginRecord | None, job: ActionJob, slug: str) -> None:
    """Send no credential of one plugin into the action of another."""
    if record is not None and record.plugin_slug != slug:
        text = (
            f"plugin id {job.plugin_id!r} belongs to {record.plugin_slug!r} in the graph, but the "
            f"handler {job.handler!r} to {slug!r}; correct the rule, then deliver the webhook again"
        )
        raise Settled(Dead(DeathReason.WRONG_PLUGIN, text))


def _context(job: ActionJob, record: PluginRecord | None, identity: Identity) -> PluginContext:
    return PluginContext(
        project_id=job.context.project_id,
        project_slug=job.context.project_slug,
        org_slug=job.context.org_slug,
        team_slug=job.context.team_slug,
        actor_user_id=job.context.actor,
        assignment_options=_options(job, record),
        service_plugins=[] if record is None else deepcopy(list(record.service_plugins)),
        resolve_user_by_identity=identity.resolver(_slugs(record)),
    )


def _slugs(record: PluginRecord | None) -> list[str]:
    if record is None:
        return []
    return [record.plugin_slug, *(plugin.slug for plugin in record.service_plugins)]


def _options(job: ActionJob, record: PluginRecord | None) -> dict[str, Any]:
    """The plugin's options with the service it stands on.

    The endpoint comes from the graph alone: a credential goes where the graph
    says, never where a job says.
    """
    options = {} if record is None else deepcopy(dict(record.options))
    service = job.context.service if record is None else record.service_slug or job.context.service
    if service:
        options["service_slug"] = service
    if record is not None and record.service_endpoint:
        options["service_endpoint"] = record.service_endpoint
    return options
