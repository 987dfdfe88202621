"""One action run here and now, on the worker's own path from config to verdict, past the queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from imbi_sdk.actions import UnfitCallable, callable_kind
from imbi_sdk.attempt import (
    ConfigValidator,
    Dead,
    Deferred,
    InvalidConfig,
    Redactor,
    Retry,
    Skipped,
    Succeeded,
)
from imbi_sdk.context import PluginContext
from imbi_sdk.credentials import get_plugin_credentials
from imbi_sdk.errors import PluginCredentialsMissing, PluginNotFoundError
from imbi_sdk.graph import PluginRecord
from imbi_sdk.handler import parse_handler
from imbi_sdk.registry import RegistryEntry, find_action
from imbi_sdk.testing import ActionRun, run_action
from imbi_sdk.webhook import ActionDescriptor
from imbi_worker.graph import OpenGraph
from imbi_worker.observability import masked_output
from imbi_worker.operations.errors import InvalidInput, NotFound, Refused, operation_errors
from imbi_worker.operations.wording import span

Came: TypeAlias = Literal["succeeded", "skipped", "retry", "deferred", "dead", "ready"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What to run, with what; *graph* gives the credentials of *plugin_id*."""

    handler: str
    event: Mapping[str, Any] = field(repr=False)
    config: str
    context: PluginContext
    external_identifier: str = ""
    plugin_id: str | None = None
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What a worker would make of it; *trace* is the traceback of a failure, redacted."""

    handler: str
    outcome: Came
    detail: str
    duration: timedelta | None
    trace: str | None = None


async def rehearse(trial: Trial, graph: OpenGraph | None) -> TrialReport:
    """Everything but the call: handler, config, credentials.

    :raises NotFound: no loaded plugin has this action
    :raises Refused: it cannot be called; says why
    :raises InvalidInput: the config does not fit
    """
    entry, descriptor = _resolve(trial.handler)
    kind = callable_kind(descriptor)
    if isinstance(kind, UnfitCallable):
        raise Refused(f"{trial.handler}: {kind.text}.", "See `imbi-worker plugins doctor`.")
    try:
        ConfigValidator().validate(trial.handler, descriptor, trial.config)
    except InvalidConfig as error:
        hint = f"See `imbi-worker plugins schema {trial.handler}`."
        raise InvalidInput(f"The config does not fit {trial.handler}: {error}.", hint) from None
    names = sorted(await _credentials(trial, entry, graph))
    told = f"credentials {', '.join(names)}" if names else "no credentials"
    return TrialReport(trial.handler, "ready", f"config fits, {told}; not called", None)


async def run_here(trial: Trial, graph: OpenGraph | None) -> TrialReport:
    """Call the action for real. :raises: what `rehearse` raises."""
    await rehearse(trial, graph)
    entry, _ = _resolve(trial.handler)
    credentials = await _credentials(trial, entry, graph)
    redactor = Redactor()
    with redactor.using(credentials.values()), masked_output(redactor):
        done = await run_action(
            trial.handler,
            event=trial.event,
            config=trial.config,
            credentials=credentials,
            context=trial.context,
            external_identifier=trial.external_identifier,
            timeout=trial.timeout,
            redactor=redactor,
        )
    return _report(done)


def _resolve(handler: str) -> tuple[RegistryEntry, ActionDescriptor]:
    try:
        return find_action(*parse_handler(handler))
    except (PluginNotFoundError, ValueError) as error:
        raise NotFound(f"{error}.", "See `imbi-worker plugins list`.") from None


async def _credentials(
    trial: Trial, entry: RegistryEntry, graph: OpenGraph | None
) -> dict[str, str]:
    if trial.plugin_id is None or graph is None:
        needed = [one.name for one in entry.manifest.credentials if one.required]
        if needed:
            slug = entry.manifest.slug
            hint = "Pass --plugin-id ID, from `imbi-worker credentials list`."
            raise Refused(f"{slug} needs the credentials {', '.join(needed)}.", hint)
        return {}
    with operation_errors():
        record = await graph.plugin(trial.plugin_id)
        if record is None:
            hint = "See `imbi-worker credentials list`."
            raise NotFound(f"The graph has no plugin {trial.plugin_id!r}.", hint)
        _refuse_another(record, entry)
        try:
            return await get_plugin_credentials(graph, trial.plugin_id, entry)
        except PluginCredentialsMissing as error:
            hint = (
                f"`imbi-worker credentials check {trial.plugin_id}` says what is wrong,"
                " `imbi-worker credentials set` sets one."
            )
            raise Refused(f"{error}.", hint) from None


def _refuse_another(record: PluginRecord, entry: RegistryEntry) -> None:
    """A worker gives no plugin the credentials of another one, nor does this.

    :raises Refused: the plugin id belongs to another plugin
    """
    slug = entry.manifest.slug
    if record.plugin_slug != slug:
        text = f"Plugin id {record.plugin_id!r} belongs to {record.plugin_slug!r}, not to {slug!r}."
        raise Refused(text, "Pass one of its own, from `imbi-worker credentials list`.")


def _report(done: ActionRun) -> TrialReport:
    outcome, detail = _told(done)
    return TrialReport(done.handler, outcome, detail, done.duration, done.trace)


def _told(done: ActionRun) -> tuple[Came, str]:
    match done.outcome:
        case Succeeded():
            return "succeeded", ""
        case Skipped(reason):
            return "skipped", reason
        case Retry(delay, error):
            return "retry", f"{error}; a worker would try again within {span(delay)}"
        case Deferred(until, reason, _):
            return "deferred", f"{reason}; until {until:%Y-%m-%d %H:%M:%SZ}"
        case Dead(reason, error, _):
            return "dead", error if error.startswith(str(reason)) else f"{reason}: {error}"
