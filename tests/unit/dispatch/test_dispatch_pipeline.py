"""From an attempt to its verdict, one step after the other."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from imbi_sdk.attempt import (
    Dead,
    DeathReason,
    Interrupted,
    Limits,
    Retry,
    RetryPolicy,
    Succeeded,
    Verdict,
    handler_outcome,
)
from imbi_sdk.errors import ActionNotFoundError, PluginNotFoundError


async def good(
    *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, event: Any
) -> None:
    pass


async def hang(
    *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, event: Any
) -> None:
    await asyncio.Event().wait()


def dead(verdict: Verdict) -> Dead:
    assert isinstance(verdict.outcome, Dead)
    return verdict.outcome


async def test_an_action_is_told_what_the_job_says(world: Any, seen: list[Any]) -> None:
    """Config and event parsed, the context filled, somebody to ask for users."""
    verdict = await world.run(config='{"names": ["a"]}', event=b'{"payload": {"x": 1}}')
    assert verdict.outcome == Succeeded()
    (given,) = seen
    ctx = given["ctx"]
    assert given["action_config"].names == ["a"]
    assert given["event"] == {"payload": {"x": 1}}
    assert given["external_identifier"] == "ext"
    assert given["credentials"] == {}
    assert (ctx.project_id, ctx.project_slug, ctx.org_slug) == ("1", "shop", "acme")
    assert (ctx.team_slug, ctx.actor_user_id) == ("web", "ann@example.com")
    assert await ctx.resolve_user_by_identity("bob") == "bob@"


async def test_an_old_action_gets_the_raw_body(world: Any) -> None:
    """Decided by its signature, when it was resolved."""
    bodies: list[Any] = []

    async def act(
        *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, payload: Any
    ) -> None:
        bodies.append(payload)

    world.install(act)
    await world.run(event=b'{"type": "push", "payload": {"x": 1}}')
    assert bodies == [{"x": 1}]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PluginNotFoundError("gone"), "no plugin 'gone' is installed on this worker"),
        (ActionNotFoundError("gone", "act", ["do"]), "Plugin 'gone' has no action 'act'"),
        (RuntimeError("canary-4f1d-do-not-leak"), "RuntimeError"),
    ],
    ids=["plugin", "action", "other"],
)
async def test_a_handler_that_means_nothing_is_reported_as_skipped(
    world: Any, error: Exception, text: str
) -> None:
    """The operator reads why, the feed what it always read."""

    def find(_handler: str) -> None:
        raise error

    world.registry.find = find
    verdict = await world.run()
    assert dead(verdict).reason is DeathReason.HANDLER_NOT_RESOLVABLE
    assert dead(verdict).reported_as == "skipped"
    assert dead(verdict).error.startswith("handler not resolvable: ")
    assert text in dead(verdict).error
    line = handler_outcome("tickets#act", verdict.outcome, verdict.duration)
    assert line is not None
    assert line.model_dump(exclude_none=True) == {
        "handler": "tickets#act",
        "status": "skipped",
        "error": "handler not resolvable",
    }


async def test_an_action_that_is_no_coroutine_function_is_not_called(world: Any) -> None:
    """It would block every other job of the worker."""

    def act(**_: Any) -> None:
        pytest.fail("called")

    world.install(act)
    assert dead(await world.run()).reason is DeathReason.NOT_A_COROUTINE


async def test_an_action_with_another_signature_is_not_called(world: Any) -> None:
    """The error shows the signature found and the one wanted."""

    async def act(ctx: Any, something: int) -> None:
        pytest.fail("called")

    world.install(act)
    outcome = dead(await world.run())
    assert outcome.reason is DeathReason.BAD_CALLABLE
    assert "something: int" in outcome.error


@pytest.mark.parametrize("config", ["", "nope", "[]", '{"names": "canary-4f1d-do-not-leak"}'])
async def test_a_wrong_config_is_reported_as_skipped(
    world: Any, seen: list[Any], config: str, canary: str
) -> None:
    """At once, without a look at the graph and without the value."""
    verdict = await world.run(config=config, plugin_id="i1")
    assert dead(verdict).reason is DeathReason.INVALID_CONFIG
    assert dead(verdict).reported_as == "skipped"
    assert dead(verdict).error.startswith("invalid handler_config: ")
    assert canary not in repr(verdict)
    assert verdict.duration is None
    assert not seen
    assert not world.graph.reads


@pytest.mark.parametrize(
    "event", [b"", b"[]", b'{"a": NaN}', b"\xff", b"[" * 10_000, b'{"a":' * 10_000]
)
async def test_a_malformed_event_is_dead(world: Any, seen: list[Any], event: bytes) -> None:
    """It does not get better by waiting."""
    assert dead(await world.run(event=event)).reason is DeathReason.INVALID_EVENT
    assert not seen


async def test_lone_surrogates_reach_no_action(world: Any, seen: list[Any]) -> None:
    """They are replaced, as the gateway does."""
    await world.run(event=b'{"payload": {"title": "\\ud800"}}')
    assert seen[0]["event"] == {"payload": {"title": "\ufffd"}}


async def test_what_must_not_run_twice_does_not_after_an_unknown_end(world: Any) -> None:
    """Somebody has to look first; what may run twice just runs."""
    world.install(hang, idempotent=False)
    outcome = dead(await world.run(after_unknown=True))
    assert outcome.reason is DeathReason.OUTCOME_UNKNOWN
    world.install(good)
    assert (await world.run(after_unknown=True)).outcome == Succeeded()


async def test_a_crash_may_use_up_the_last_attempt(world: Any) -> None:
    """Found when the job is claimed once more; the action is not called."""
    world.install(hang)
    outcome = dead(await world.run(number=9, attempts_used=8, crashes=3))
    assert outcome.reason is DeathReason.ATTEMPTS_EXHAUSTED
    assert outcome.error == "8 of 8 attempts are used, 3 of them ended with their worker"


async def test_a_timeout_of_what_must_not_run_twice_is_final(world: Any) -> None:
    """Its outcome is unknown; other actions are retried."""
    soon = timedelta(milliseconds=20)
    world.install(hang, timeout=soon, idempotent=False)
    outcome = dead(await world.run())
    assert outcome.reason is DeathReason.OUTCOME_UNKNOWN
    assert outcome.is_timeout
    world.install(hang, timeout=soon)
    again = (await world.run()).outcome
    assert isinstance(again, Retry)
    assert again.is_timeout


async def test_limits_come_from_the_action_then_its_handler_then_the_worker(world: Any) -> None:
    """And never raise: the engine asks before it knows whether a handler resolves."""
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    world.settings = {"timeouts": {"tickets#act": minute, "tickets#own": minute}}
    world.install(good)
    world.install(good, handler="tickets#own", timeout=hour)
    world.install(good, handler="tickets#plain")
    terms = world.dispatcher.terms
    assert terms("tickets#act").limits.timeout == minute
    assert terms("tickets#own").limits.timeout == hour
    for handler in ("tickets#plain", "no#such", "nonsense"):
        assert terms(handler).limits == Limits()


async def test_policies_come_from_the_handler_and_the_action(world: Any) -> None:
    """What the author says stands above the operator's line for the handler."""

    async def act(
        *, ctx: Any, credentials: Any, external_identifier: Any, action_config: Any, event: Any
    ) -> None:
        raise OSError("x")

    two, nine = timedelta(minutes=2), timedelta(seconds=9)
    world.settings = {"policies": {"tickets#act": RetryPolicy(backoff=(two,), max_attempts=2)}}
    world.install(act)
    assert (await world.run()).outcome == Retry(two, "OSError: x")
    assert dead(await world.run(attempts_used=1)).reason is DeathReason.ATTEMPTS_EXHAUSTED
    world.install(act, retry=(nine,), max_attempts=3)
    assert (await world.run(attempts_used=1)).outcome == Retry(nine, "OSError: x")


async def test_a_drain_ends_a_lookup_as_well_and_nothing_was_called(
    world: Any, seen: list[Any]
) -> None:
    """So it is not taken for an action that was interrupted."""
    looking = asyncio.Event()

    async def wait() -> None:
        looking.set()
        await asyncio.Event().wait()

    world.graph.before = wait
    task = asyncio.create_task(world.run(plugin_id="i1"))
    await looking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    assert not isinstance(raised.value, Interrupted)
    assert not seen


async def test_an_attempt_keeps_its_body_out_of_its_repr(world: Any, canary: str) -> None:
    """Config and event may hold anything."""
    attempt = world.attempt(config=f'"{canary}"', event=f'"{canary}"'.encode())
    assert canary not in repr(attempt)
