"""One attempt from config text to verdict: the path shared by production and tests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from imbi_sdk import errors
from imbi_sdk.attempt import (
    Action,
    Assignment,
    Clock,
    Dead,
    DeathReason,
    Interrupted,
    Limits,
    Retry,
    Settled,
    Skipped,
    Standing,
    Succeeded,
    Supplies,
    Tools,
    Verdict,
    run_attempt,
)
from imbi_sdk.context import PluginContext
from imbi_sdk.webhook import ActionDescriptor

SHORT = timedelta(milliseconds=30)


class Config(BaseModel):
    names: list[str] = []


@dataclass
class Shelf:
    """Supplies from memory; counts how often it was asked, and how."""

    credentials: dict[str, str] = field(default_factory=dict)
    asked: list[bool] = field(default_factory=list)

    async def __call__(self, *, fresh: bool) -> Supplies:
        self.asked.append(fresh)
        context = PluginContext(project_id="1", project_slug="p", org_slug="o")
        return Supplies(context, self.credentials)


def assignment(
    function: Callable[..., Any], supply: Any = None, kind: Any = "event", **given: Any
) -> Assignment:
    descriptor = ActionDescriptor(name="act", label="Act", callable=function, config_model=Config)
    return Assignment(Action("p#act", descriptor, kind), supply or Shelf(), **given)


@pytest.fixture
def tools(clock: Clock) -> Tools:
    return Tools(clock)


@pytest.fixture
def run(tools: Tools) -> Callable[..., Awaitable[Verdict]]:
    async def run(function: Callable[..., Any], *supply: Any, **given: Any) -> Verdict:
        return await run_attempt(assignment(function, *supply, **given), tools)

    return run


async def test_an_action_gets_the_five_things_the_contract_names(run: Any) -> None:
    """Validated config, parsed event, context, credentials, identifier."""
    seen: dict[str, Any] = {}

    async def act(**given: Any) -> None:
        seen.update(given)

    verdict = await run(
        act,
        Shelf({"token": "t"}),
        config='{"names": ["a"]}',
        event=b'{"payload": {"x": 1}}',
        external_identifier="e",
    )
    assert verdict.outcome == Succeeded()
    assert verdict.duration is not None
    assert seen.pop("ctx").project_id == "1"
    assert seen == {
        "credentials": {"token": "t"},
        "external_identifier": "e",
        "action_config": Config(names=["a"]),
        "event": {"payload": {"x": 1}},
    }


@pytest.mark.parametrize(
    ("event", "payload"), [(b'{"payload": {"x": 1}}', {"x": 1}), (b'{"type": "y"}', {})]
)
async def test_an_old_action_gets_the_raw_body(run: Any, event: bytes, payload: object) -> None:
    """Plugins written before Imbi 2.10 take `payload`."""
    seen: dict[str, Any] = {}

    async def act(**given: Any) -> None:
        seen.update(given)

    await run(act, kind="payload", event=event)
    assert seen["payload"] == payload
    assert "event" not in seen


async def test_a_wrong_config_ends_before_anything_is_looked_up(run: Any, canary: str) -> None:
    """Reported as skipped, without duration and without the value."""
    shelf = Shelf()
    verdict = await run(hang, shelf, config=f'{{"names": "{canary}"}}')
    text = "invalid handler_config: names: Input should be a valid array"
    assert verdict == Verdict(Dead(DeathReason.INVALID_CONFIG, text, reported_as="skipped"))
    assert not shelf.asked


async def test_a_malformed_event_ends_before_anything_is_looked_up(run: Any) -> None:
    """As failed: the rule is right, what came in is not."""
    shelf = Shelf()
    verdict = await run(hang, shelf, event=b"[]")
    assert verdict.outcome == Dead(
        DeathReason.INVALID_EVENT, "invalid event: the event is a JSON list, not an object"
    )
    assert not shelf.asked


async def test_a_supply_may_settle_the_attempt(run: Any) -> None:
    """With any outcome; the action is not called."""

    async def settle(*, fresh: bool) -> Supplies:
        raise Settled(Skipped("x"))

    assert await run(hang, settle) == Verdict(Skipped("x"))


async def test_a_supply_that_fails_is_a_failed_attempt(run: Any) -> None:
    """Not a failed worker."""

    async def fail(*, fresh: bool) -> Supplies:
        raise KeyError("x")

    async def cancel(*, fresh: bool) -> Supplies:
        raise asyncio.CancelledError

    for supply in (fail, cancel):
        verdict = await run(hang, supply)
        assert isinstance(verdict.outcome, Retry)
        assert verdict.duration is None


async def hang(**_: Any) -> None:
    await asyncio.Event().wait()


async def test_a_refused_credential_is_fetched_anew_and_tried_once(run: Any) -> None:
    """Within the same attempt, with a config and an event that nobody has touched."""
    first = {"token": "first"}
    shelf = Shelf(first)
    calls: list[Any] = []

    async def act(*, action_config: Config, event: dict[str, Any], **given: Any) -> None:
        calls.append((list(action_config.names), dict(event), given["credentials"]["token"]))
        action_config.names.append("x")
        event["x"] = 1
        given["credentials"]["token"] = "changed"
        if len(calls) == 1:
            shelf.credentials = {"token": "second"}
            raise errors.PluginAuthenticationFailed

    assert (await run(act, shelf)).outcome == Succeeded()
    assert shelf.asked == [False, True]
    assert calls == [([], {}, "first"), ([], {}, "second")]
    assert first == {"token": "first"}


async def test_a_credential_refused_twice_buries_the_job(run: Any) -> None:
    """A third try would be no different."""

    async def act(**_: Any) -> None:
        raise errors.PluginAuthenticationFailed("401")

    shelf = Shelf()
    outcome = (await run(act, shelf)).outcome
    assert outcome == Dead(DeathReason.PERMANENT_ERROR, "PluginAuthenticationFailed: 401")
    assert shelf.asked == [False, True]


async def test_the_second_call_shares_the_timeout_of_the_first(run: Any) -> None:
    """An attempt may not take longer because a credential was stale."""
    calls: list[float] = []

    async def act(**_: Any) -> None:
        clock = asyncio.get_running_loop().time
        calls.append(clock())
        while clock() < calls[0] + SHORT.total_seconds():
            pass
        raise errors.PluginAuthenticationFailed

    verdict = await run(act, limits=Limits(SHORT, SHORT))
    assert verdict.outcome.is_timeout
    assert len(calls) == 1


@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt(), GeneratorExit()])
async def test_an_action_that_wants_to_end_the_process_has_failed(
    run: Any, error: BaseException
) -> None:
    """It is retried like any other failure, and the worker lives."""

    async def act(**_: Any) -> None:
        raise error

    outcome = (await run(act)).outcome
    assert isinstance(outcome, Retry)
    assert outcome.error.startswith(type(error).__name__)


async def test_a_call_that_does_not_fit_buries_the_job(run: Any) -> None:
    """Running it again cannot help."""

    async def act(*, something: int) -> None:
        pass

    outcome = (await run(act)).outcome
    assert isinstance(outcome, Dead)
    assert outcome.reason is DeathReason.BAD_CALLABLE
    assert "unexpected keyword argument 'ctx'" in outcome.error


async def test_an_action_that_is_no_coroutine_buries_the_job(run: Any) -> None:
    """It has blocked the whole worker, and must not do so again."""
    outcome = (await run(lambda **_: None)).outcome
    assert isinstance(outcome, Dead)
    assert outcome.reason is DeathReason.NOT_A_COROUTINE


async def test_a_timeout_names_the_limit(run: Any) -> None:
    """And is retried, or final when the action must not run twice."""
    limits = Limits(SHORT, SHORT)
    verdict = await run(hang, limits=limits)
    assert isinstance(verdict.outcome, Retry)
    assert verdict.outcome.is_timeout
    assert verdict.duration >= SHORT
    final = await run(hang, limits=limits, standing=Standing(is_idempotent=False))
    assert final.outcome.reason is DeathReason.OUTCOME_UNKNOWN


async def test_an_abandoned_action_keeps_its_secrets_known(
    run: Any, tools: Tools, canary: str
) -> None:
    """It may still log them; when it has ended nobody uses them any more."""
    release = asyncio.Event()

    async def act(**_: Any) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    verdict = await run(act, Shelf({"token": canary}), limits=Limits(SHORT, SHORT))
    assert verdict.unfinished is not None
    assert tools.redactor._uses[canary] == 1
    release.set()
    await verdict.unfinished
    await asyncio.sleep(0)
    assert not tools.redactor._uses


async def test_an_error_shows_no_credential(run: Any, tools: Tools, canary: str) -> None:
    """Neither in the text nor in the trace, nor in what it was raised from."""

    def fetch(token: str) -> None:
        raise OSError(f"url https://x/?q={token}")

    async def act(*, credentials: dict[str, str], **_: Any) -> None:
        try:
            fetch(credentials["token"])
        except OSError as error:
            raise KeyError(credentials["token"]) from error

    verdict = await run(act, Shelf({"token": canary}))
    assert verdict.outcome.error == "KeyError: '***'"
    assert verdict.trace is not None
    assert "OSError: url https://x/?q=***" in verdict.trace
    assert verdict.trace.endswith("KeyError: '***'\n")
    assert canary not in verdict.trace
    assert not tools.redactor._uses


async def test_nothing_shows_a_credential_in_its_repr(tools: Tools, canary: str) -> None:
    """A value that lands in a log by accident stays silent."""
    supplies = await Shelf({"token": canary})(fresh=False)
    given = assignment(hang, config=f'"{canary}"', event=f'"{canary}"'.encode())
    with tools.redactor.using([canary]):
        assert canary not in repr(supplies) + repr(given) + repr(tools)


@pytest.mark.parametrize("where", ["lookup", "call"])
async def test_a_cancelled_attempt_is_interrupted_once_its_action_was_called(
    tools: Tools, where: str
) -> None:
    """Before that nothing has happened, so whoever runs it next need not fear a second time."""
    started = asyncio.Event()

    async def pause(**_: Any) -> Supplies:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError(where)

    given = assignment(hang, pause) if where == "lookup" else assignment(pause)
    task = asyncio.create_task(run_attempt(given, tools))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    assert isinstance(raised.value, Interrupted) == (where == "call")
