"""What every webhook plugin should keep, as a class of tests to derive from."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar, Final

from imbi_sdk.actions import UnfitCallable, callable_kind
from imbi_sdk.admission import Admitted
from imbi_sdk.attempt import ConfigValidator, Interrupted, Redactor, Skipped, Succeeded
from imbi_sdk.attempt.repetition import is_idempotent
from imbi_sdk.context import PluginContext
from imbi_sdk.credentials import uses_application
from imbi_sdk.handler import parse_handler
from imbi_sdk.testing.configs import (
    CANARY,
    perhaps_bad,
    refusal,
    schema,
    surely_bad,
    text_of,
)
from imbi_sdk.testing.context import sample_context
from imbi_sdk.testing.run import ActionRun, admit, run_action
from imbi_sdk.testing.watch import OpenRedactor, Overheard, in_own_loop, is_shown
from imbi_sdk.webhook import ActionDescriptor

# A port on which nothing listens: what an action raises then often quotes its request.
_NOWHERE: Final = "http://127.0.0.1:9"
# After how many turns of the loop an action is cancelled: before, at and after its first wait.
_TURNS: Final = (2, 3, 5, 10, 30)
_CRASHED: Final = "the config model raised"


@dataclass(frozen=True, slots=True)
class Sample:
    """A delivery and a rule with which an action does its work.

    *bad_configs* are configs the action must refuse, beside those the contract makes
    up. Without *credentials* every field the manifest declares gets a canary.
    """

    event: Mapping[str, Any]
    config: Mapping[str, Any] | Sequence[Any] = field(default_factory=dict[str, Any])
    bad_configs: Sequence[Mapping[str, Any]] = ()
    credentials: Mapping[str, str] | None = field(default=None, repr=False)
    context: PluginContext | None = None
    external_identifier: str = ""


class PluginContract:
    """Tests of a plugin, to derive a class from whose name begins with ``Test``.

    For example, in a module that pytest collects::

        class TestTickets(PluginContract):
            plugin = TicketsPlugin
            samples = {"close_ticket": Sample(github_push(), {"ticket": "/payload/ref"})}

    An action that talks to a service needs a stand-in: see `surroundings` and
    `observed`. Actions are really run, each several times. Needs pytest, no plugin
    of it, and no running event loop.
    """

    plugin: ClassVar[type]
    samples: ClassVar[Mapping[str, Sample]] = {}
    """A sample for each action, by the action's name."""
    grace: ClassVar[timedelta] = timedelta(seconds=5)
    """How long an action may take to end after its cancel; the worker gives it 5 s."""

    @asynccontextmanager
    async def surroundings(self) -> AsyncGenerator[PluginContext | None]:
        """What must stand around an action while it runs; entered once in each test.

        Override it to start a stand-in of the service, and yield the context that
        names its address: it takes the place of the sample's.
        """
        yield None

    def observed(self) -> Any:
        """What the action has changed in its surroundings; compared by value.

        Override it, or a second run is only asked to end well.
        """
        return None

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test for each action; asked for by pytest."""
        try:
            actions = admit(self.plugin).actions
        except Exception:  # noqa: BLE001 - test_it_loads says what is wrong, once
            actions = dict[str, ActionDescriptor]()
        sampled = [name for name in actions if name in self.samples]
        choices = {
            "action": list(actions),
            "sampled_action": sampled,
            "repeatable_action": [name for name in sampled if self._may_repeat(name)],
        }
        for parameter, names in choices.items():
            if parameter in metafunc.fixturenames:
                metafunc.parametrize(parameter, names)

    def test_it_loads(self) -> None:
        """The registry takes it: manifest, base class, version, catalogue."""
        manifest = self._admitted().manifest
        if manifest.plugin_type != "webhook":
            raise AssertionError(f"it is of type {manifest.plugin_type!r}, not a webhook plugin")
        for names in ([f.name for f in manifest.credentials], [o.name for o in manifest.options]):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise AssertionError(f"credentials or options with one name: {twice}")

    def test_every_action_has_a_handler_and_a_sample(self) -> None:
        """Rules can name each action, and the contract has something to run it with."""
        admitted = self._admitted()
        for name in admitted.actions:
            parse_handler(f"{admitted.manifest.slug}#{name}")
        if not admitted.actions:
            raise AssertionError("it has no actions: no rule can use it")
        missing = sorted(admitted.actions.keys() - self.samples.keys())
        unknown = sorted(self.samples.keys() - admitted.actions.keys())
        if missing or unknown:
            raise AssertionError(f"samples: missing for {missing}, of no action {unknown}")

    def test_the_catalogue_is_a_new_list_each_time(self) -> None:
        """A host that changes its list changes nobody else's."""
        plugin: Any = self._admitted().handler_cls
        if plugin.actions() is plugin.actions():
            raise AssertionError("actions() gives the same list twice; make a new one each time")

    def test_the_callable_fits(self, action: str) -> None:
        """A coroutine function that takes the keywords of an action."""
        kind = callable_kind(self._descriptor(action))
        if isinstance(kind, UnfitCallable):
            raise AssertionError(kind.text)  # noqa: TRY004 - a test's verdict

    def test_the_config_has_a_json_schema(self, action: str) -> None:
        """Imbi's forms are made from it."""
        json.dumps(schema(self._descriptor(action)), allow_nan=False)

    def test_a_bad_config_is_refused_and_not_quoted(self, action: str) -> None:
        """Its message names fields and reasons, and none of the values."""
        descriptor = self._descriptor(action)
        sample = self.samples.get(action)
        config = sample.config if sample else dict[str, Any]()
        good = config if isinstance(config, Mapping) else dict[str, Any]()
        given = [json.dumps(dict(bad)) for bad in sample.bad_configs] if sample else []
        for text in (*surely_bad(descriptor), *given):
            if refusal(descriptor, text) is None:
                raise AssertionError(f"{action} accepts the config {text}")
        for text in (*surely_bad(descriptor), *perhaps_bad(descriptor, good), *given):
            message = refusal(descriptor, text) or ""
            if CANARY in message:
                raise AssertionError(f"{action} quotes a value of its config: {message}")
            if message.startswith(_CRASHED):
                raise AssertionError(f"{action}: {message} on {text}; raise ValueError instead")

    def test_it_does_its_work(self, sampled_action: str) -> None:
        """The sample succeeds, or the action says that there is nothing to do."""

        async def work() -> None:
            async with self.surroundings() as context:
                _require_good_end(await self._run(sampled_action, context))

        in_own_loop(work())

    def test_a_second_run_does_no_harm(self, repeatable_action: str) -> None:
        """A job may run twice, after a crash; only ``idempotent=False`` prevents it."""

        async def work() -> None:
            async with self.surroundings() as context:
                _require_good_end(await self._run(repeatable_action, context))
                before = deepcopy(self.observed())
                _require_good_end(await self._run(repeatable_action, context), "the second run")
                after = self.observed()
                if after != before:
                    raise AssertionError(
                        f"the second run of {repeatable_action} changed {before!r} to {after!r};"
                        " make it do nothing then, or declare the action idempotent=False"
                    )

        in_own_loop(work())

    def test_a_cancel_ends_it_in_time(self, sampled_action: str) -> None:
        """Wherever it comes; and an idempotent action then runs as if for the first time."""

        async def work() -> None:
            async with self.surroundings() as context:
                for turns in _TURNS:
                    await self._cancel(sampled_action, context, turns)
                if self._may_repeat(sampled_action):
                    run = await self._run(sampled_action, context)
                    _require_good_end(run, "the run after a cancelled one")

        in_own_loop(work())

    def test_no_secret_shows(self, sampled_action: str) -> None:
        """Not in what it logs, prints or raises: when all is well, on an odd event, offline."""
        heard, runs = Overheard(), list[ActionRun]()
        sample = self.samples[sampled_action]
        odd = replace(sample, event={**sample.event, "payload": {}})

        async def work() -> None:
            async with self.surroundings() as context:
                elsewhere = _at_nowhere(context or sample.context)
                for one, given in ((sample, context), (odd, context), (sample, elsewhere)):
                    run = await self._run(sampled_action, given, one, redactor=OpenRedactor())
                    runs.append(run)

        package = self._descriptor(sampled_action).callable.__module__.partition(".")[0]
        with heard.listening(package):
            in_own_loop(work())
        secrets = [
            value for name, value in self._credentials(sample).items() if name != "client_id"
        ]
        shown = [*heard.texts, *(f"{run} {run.trace}" for run in runs)]
        if any(is_shown(secrets, text) for text in shown):
            raise AssertionError(
                f"{sampled_action} lets a credential out, in a log line, a print or an error;"
                " put none into a message or an address"
            )

    def _admitted(self) -> Admitted:
        return admit(self.plugin)

    def _descriptor(self, action: str) -> ActionDescriptor:
        return self._admitted().actions[action]

    def _may_repeat(self, action: str) -> bool:
        text = text_of(self.samples[action].config)
        return is_idempotent(action, self._descriptor(action), text, ConfigValidator())

    def _credentials(self, sample: Sample) -> Mapping[str, str]:
        if sample.credentials is not None:
            return sample.credentials
        manifest = self._admitted().manifest
        if uses_application(manifest):
            return {"client_id": "client-1", "client_secret": f"{CANARY}-client_secret"}
        return {one.name: f"{CANARY}-{one.name}" for one in manifest.credentials}

    async def _run(
        self,
        action: str,
        context: PluginContext | None,
        sample: Sample | None = None,
        redactor: Redactor | None = None,
    ) -> ActionRun:
        sample = sample or self.samples[action]
        return await run_action(
            self.plugin,
            action,
            event=sample.event,
            config=sample.config,
            credentials=self._credentials(sample),
            context=context or sample.context,
            external_identifier=sample.external_identifier,
            grace=self.grace,
            redactor=redactor,
        )

    async def _cancel(self, action: str, context: PluginContext | None, turns: int) -> None:
        task = asyncio.get_running_loop().create_task(self._run(action, context))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except Interrupted as interrupted:
            if interrupted.unfinished is not None:
                raise AssertionError(
                    f"{action} went on {self.grace.total_seconds():g} s after its cancel;"
                    " let CancelledError through"
                ) from None


def _require_good_end(run: ActionRun, which: str = "the run") -> None:
    if not isinstance(run.outcome, Succeeded | Skipped):
        raise AssertionError(f"{which} of {run.handler} came to {run.outcome}\n{run.trace or ''}")  # noqa: TRY004 - a test's verdict


def _at_nowhere(context: PluginContext | None) -> PluginContext:
    if context is None:
        return sample_context(endpoint=_NOWHERE)
    options = {**context.assignment_options, "service_endpoint": _NOWHERE}
    return context.model_copy(update={"assignment_options": options})
