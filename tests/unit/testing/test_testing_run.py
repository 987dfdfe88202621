"""`run_action`: what an author sees is what the worker would make of it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imbi_sdk import (
    ActionNotFoundError,
    PermanentError,
    PluginAuthenticationFailed,
    PluginRateLimited,
    RetryableError,
    Skip,
    load_plugins,
)
from imbi_sdk.attempt import (
    Dead,
    DeathReason,
    Deferred,
    Hold,
    Interrupted,
    Retry,
    RetryPolicy,
    Skipped,
    Succeeded,
)
from imbi_sdk.testing import (
    FakeClock,
    FakeIdentity,
    github_push,
    run_action,
    sample_context,
    sonarqube_quality_gate,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONFIG = {"names": ["a"]}
Make = Callable[..., Any]


def raising(error: BaseException) -> Callable[..., Any]:
    async def act(**_: Any) -> None:
        raise error

    return act


async def test_an_action_is_given_what_a_rule_and_a_delivery_say(make_plugin: Make) -> None:
    """Config as the model, event as the gateway makes it, a project to work for."""
    given: dict[str, Any] = {}

    async def act(*, ctx, credentials, external_identifier, action_config, event) -> None:
        given.update(locals())

    run = await run_action(
        make_plugin(act, credentials=("token",)),
        event=github_push(),
        config=CONFIG,
        credentials={"token": "t-1"},
        external_identifier="710045",
    )
    assert run.outcome == Succeeded()
    assert run.handler == "tickets#act"
    assert given["credentials"] == {"token": "t-1"}
    assert given["external_identifier"] == "710045"
    assert given["action_config"].names == ["a"]
    assert given["event"] == github_push()
    assert given["ctx"].assignment_options == {"service_slug": "github"}


async def test_an_action_of_before_imbi_2_10_is_given_the_body(make_plugin: Make) -> None:
    """Both callables run, as in the worker."""
    given: list[Any] = []

    async def act(*, ctx, credentials, external_identifier, action_config, payload) -> None:
        given.append(payload)

    await run_action(make_plugin(act), event=github_push(), config=CONFIG)
    assert given == [github_push()["payload"]]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Skip("merged elsewhere"), Skipped("merged elsewhere")),
        (
            PermanentError("gone"),
            Dead(DeathReason.PERMANENT_ERROR, "PermanentError: gone"),
        ),
        (
            RetryableError("busy", retry_after=90),
            Retry(timedelta(seconds=99), "RetryableError: busy"),
        ),
        (
            PluginRateLimited((NOON + timedelta(minutes=1)).timestamp(), "slow down"),
            Deferred(
                NOON + timedelta(minutes=1),
                "PluginRateLimited: slow down",
                Hold("plugin-1", "PluginRateLimited: slow down"),
            ),
        ),
        (
            PluginRateLimited(NOON + timedelta(minutes=1), "by a datetime"),
            Deferred(
                NOON + timedelta(minutes=1),
                "PluginRateLimited: by a datetime",
                Hold("plugin-1", "PluginRateLimited: by a datetime"),
            ),
        ),
        (ConnectionResetError(), Retry(timedelta(seconds=10), "ConnectionResetError")),
        (
            SystemExit(3),
            Retry(timedelta(seconds=10), "SystemExit: 3"),
        ),
    ],
)
async def test_an_error_is_sorted_as_in_production(
    make_plugin: Make, error: BaseException, outcome: object
) -> None:
    """And never raised; a retry waits its whole window, so that a test can name it."""
    run = await run_action(
        make_plugin(raising(error)), event={}, config=CONFIG, clock=FakeClock(NOON)
    )
    assert run.outcome == outcome


async def test_the_last_attempt_buries(make_plugin: Make) -> None:
    """The author's own limit counts; so does a policy, when one is given."""
    plugin = make_plugin(raising(RetryableError("busy")), max_attempts=3)
    assert isinstance((await run_action(plugin, event={}, config=CONFIG)).outcome, Retry)
    run = await run_action(plugin, event={}, config=CONFIG, attempt=3)
    assert isinstance(run.outcome, Dead)
    assert run.outcome.reason is DeathReason.ATTEMPTS_EXHAUSTED
    impatient = RetryPolicy(max_attempts=1)
    plain = make_plugin(raising(RetryableError("busy")))
    run = await run_action(plain, event={}, config=CONFIG, policy=impatient)
    assert isinstance(run.outcome, Dead)


async def test_the_feed_reads_what_it_always_read(make_plugin: Make) -> None:
    """A line for an end, none while the job would run again."""
    run = await run_action(make_plugin(raising(Skip("nothing"))), event={}, config=CONFIG)
    assert run.reported
    assert (run.reported.status, run.reported.error) == ("skipped", "nothing")
    run = await run_action(make_plugin(raising(OSError())), event={}, config=CONFIG)
    assert run.reported is None


@pytest.mark.parametrize("config", ["{", {"names": "canary-4f1d-do-not-leak"}, {}])
async def test_a_bad_config_ends_the_job_before_the_action(
    make_plugin: Make, canary: str, config: Any
) -> None:
    """No value of the config shows, and the action is not called."""
    plugin = make_plugin(raising(AssertionError("called")))
    run = await run_action(plugin, event=github_push(), config=config)
    assert isinstance(run.outcome, Dead)
    assert run.outcome.reason is DeathReason.INVALID_CONFIG
    assert run.outcome.reported_as == "skipped"
    assert canary not in repr(run)
    assert run.duration is None


@pytest.mark.parametrize(
    ("auth_type", "given"),
    [
        ("api_token", {}),
        ("api_token", {"other": "x"}),
        ("api_token", {"token": ""}),
        ("oauth2", {}),
        ("oauth2", {"client_id": "c-1"}),
        ("oauth2", {"client_id": "c-1", "client_secret": ""}),
    ],
)
async def test_a_missing_credential_ends_the_job_before_the_action(
    make_plugin: Make, auth_type: str, given: dict[str, str]
) -> None:
    """As in the worker, wherever the manifest says they lie."""
    plugin = make_plugin(
        raising(AssertionError("called")), credentials=("token",), auth_type=auth_type
    )
    run = await run_action(plugin, event={}, config=CONFIG, credentials=given)
    assert isinstance(run.outcome, Dead)
    assert run.outcome.reason is DeathReason.MISSING_CREDENTIALS
    assert run.reported
    assert run.reported.error == "missing credentials"


async def test_the_credentials_of_an_application_are_its_login(make_plugin: Make) -> None:
    """Whatever fields the manifest declares."""
    given: list[Any] = []

    async def act(*, credentials: Any, **_: Any) -> None:
        given.append(credentials)

    login = {"client_id": "c-1", "client_secret": "s-1"}
    plugin = make_plugin(act, auth_type="oidc")
    await run_action(plugin, event={}, config=CONFIG, credentials=login)
    assert given == [login]


async def test_no_credential_shows_in_a_run(make_plugin: Make, canary: str) -> None:
    """Error, trace and repr have passed the redactor."""

    async def act(*, credentials: dict[str, str], **_: Any) -> None:
        raise PermanentError(f"401 for {credentials['token']}")

    plugin = make_plugin(act, credentials=("token",))
    run = await run_action(plugin, event={}, config=CONFIG, credentials={"token": canary})
    assert run.outcome == Dead(DeathReason.PERMANENT_ERROR, "PermanentError: 401 for ***")
    assert run.trace
    assert canary not in f"{run!r} {run.trace}"


async def test_a_refused_credential_is_tried_once_more(make_plugin: Make) -> None:
    """With its own config and event: the first call may have changed them."""
    seen: list[Any] = []

    async def act(*, action_config: Any, event: Any, ctx: Any, **_: Any) -> None:
        seen.append((action_config.names[:], event.copy(), ctx.assignment_options.copy()))
        action_config.names.append("changed")
        event["changed"] = ctx.assignment_options["changed"] = True
        if len(seen) == 1:
            raise PluginAuthenticationFailed("401")

    run = await run_action(make_plugin(act), event={"type": "push"}, config=CONFIG)
    assert run.outcome == Succeeded()
    assert seen == [(["a"], {"type": "push"}, {})] * 2


async def test_the_tests_own_objects_stay_as_they_are(make_plugin: Make) -> None:
    """An action may change what it is given; the next run begins anew."""

    async def act(*, ctx: Any, credentials: Any, event: Any, **_: Any) -> None:
        ctx.assignment_options["changed"] = event["payload"]["changed"] = True
        credentials.clear()

    event, context = github_push(), sample_context(endpoint="http://localhost")
    credentials = {"token": "t"}
    await run_action(
        make_plugin(act, credentials=("token",)),
        event=event,
        config=CONFIG,
        credentials=credentials,
        context=context,
    )
    assert event == github_push()
    assert context == sample_context(endpoint="http://localhost")
    assert credentials == {"token": "t"}


async def test_an_action_can_ask_who_somebody_is(make_plugin: Make) -> None:
    """The context's resolver is the one that was given, not a copy."""
    names: list[Any] = []

    async def act(*, ctx: Any, event: Any, **_: Any) -> None:
        names.append(await ctx.resolve_user_by_identity(str(event["payload"]["sender"]["id"])))

    identity = FakeIdentity({("github", "90211"): "mara@tidewater.example"})
    context = sample_context(resolve_user_by_identity=identity.resolver(["github"]))
    await run_action(make_plugin(act), event=github_push(), config=CONFIG, context=context)
    assert names == ["mara@tidewater.example"]
    assert identity.asked == [("github", "90211")]


@pytest.mark.parametrize("limit", [0.01, timedelta(milliseconds=10)])
async def test_an_action_that_takes_too_long_is_cancelled(make_plugin: Make, limit: Any) -> None:
    """The limit given stands above the author's own."""

    async def act(**_: Any) -> None:
        await asyncio.Event().wait()

    plugin = make_plugin(act, timeout=300)
    run = await run_action(plugin, event={}, config=CONFIG, timeout=limit)
    assert isinstance(run.outcome, Retry)
    assert run.outcome.is_timeout
    assert run.unfinished is None


async def test_an_action_that_swallows_its_cancel_is_handed_over(make_plugin: Make) -> None:
    """The test can wait for it, as the worker does."""
    release = asyncio.Event()

    async def act(**_: Any) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    run = await run_action(make_plugin(act), event={}, config=CONFIG, timeout=0.01, grace=0.01)
    assert run.unfinished
    assert not run.unfinished.done()
    release.set()
    await run.unfinished


async def test_the_authors_own_timeout_counts(make_plugin: Make) -> None:
    """When the test names none."""

    async def act(**_: Any) -> None:
        await asyncio.Event().wait()

    plugin = make_plugin(act, timeout=0.01, idempotent=False)
    run = await run_action(plugin, event={}, config=CONFIG)
    assert isinstance(run.outcome, Dead)
    assert run.outcome.reason is DeathReason.OUTCOME_UNKNOWN


async def test_a_cancelled_test_cancels_the_action(make_plugin: Make) -> None:
    """As a worker that shuts down does."""
    started = asyncio.Event()

    async def act(**_: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run_action(make_plugin(act), event={}, config=CONFIG))
    await started.wait()
    task.cancel()
    with pytest.raises(Interrupted) as interrupted:
        await task
    assert interrupted.value.unfinished is None


async def test_a_callable_that_cannot_run_ends_the_job(make_plugin: Make) -> None:
    """With the reason that its jobs would have."""

    def blocking(**_: Any) -> None: ...

    async def other(*, ctx: Any) -> None: ...

    run = await run_action(make_plugin(blocking), event={}, config=CONFIG)
    assert isinstance(run.outcome, Dead)
    assert run.outcome.reason is DeathReason.NOT_A_COROUTINE
    run = await run_action(make_plugin(other), event={}, config=CONFIG)
    assert isinstance(run.outcome, Dead)
    assert run.outcome.reason is DeathReason.BAD_CALLABLE


async def test_an_action_is_named_unless_it_is_the_only_one(make_plugin: Make) -> None:
    """What is not there is said, with what is."""

    async def act(**_: Any) -> None: ...

    plugin = make_plugin(act, names=("close", "reopen"))
    assert (await run_action(plugin, "close", event={}, config=CONFIG)).handler == "tickets#close"
    with pytest.raises(ValueError, match=r"name one of \['close', 'reopen'\]"):
        await run_action(plugin, event={}, config=CONFIG)
    with pytest.raises(ActionNotFoundError, match="'burn'; it has close, reopen"):
        await run_action(plugin, "burn", event={}, config=CONFIG)


async def test_a_plugin_that_would_not_load_is_refused(make_plugin: Make) -> None:
    """With the registry's own message."""

    async def act(**_: Any) -> None: ...

    twice = make_plugin(act, names=("close", "close"))
    with pytest.raises(ValueError, match="would not load: Duplicate action names"):
        await run_action(twice, "close", event={})
    newer = make_plugin(act)
    newer.manifest = newer.manifest.model_copy(update={"api_version": 2})
    with pytest.raises(ValueError, match="would not load: api_version=2"):
        await run_action(newer, event={})


async def test_a_loaded_plugin_is_run_by_its_handler(make_plugin: Make) -> None:
    """As a rule names it."""

    async def act(**_: Any) -> None: ...

    load_plugins(builtins=[make_plugin(act)])
    try:
        run = await run_action("tickets#act", event=sonarqube_quality_gate(), config=CONFIG)
        assert run.outcome == Succeeded()
        with pytest.raises(ValueError, match="a handler alone"):
            await run_action("tickets#act", "act", event={})
        with pytest.raises(ActionNotFoundError):
            await run_action("tickets#burn", event={})
        with pytest.raises(ValueError, match="is no handler"):
            await run_action("tickets", event={})
    finally:
        load_plugins()


async def test_an_event_must_be_json(make_plugin: Make) -> None:
    """A test that builds something else hears of it."""

    async def act(**_: Any) -> None: ...

    with pytest.raises(TypeError, match="not JSON serializable"):
        await run_action(make_plugin(act), event={"payload": NOON}, config=CONFIG)


async def test_time_is_real_unless_given(make_plugin: Make) -> None:
    """A rate limit counted from now is what an action computes."""
    plugin = make_plugin(raising(PluginRateLimited(time.time() + 60)))
    run = await run_action(plugin, event={}, config=CONFIG)
    assert isinstance(run.outcome, Deferred)
    assert abs(run.outcome.until - datetime.now(UTC)) < timedelta(seconds=61)


def test_it_needs_neither_redis_nor_pytest() -> None:
    """An author's tests need the SDK alone; a gateway's ask for the queue by name."""
    script = (
        "import sys\n"
        "for name in ('redis', 'pytest', 'arq', 'neo4j', 'aiohttp', 'imbi_worker'):\n"
        "    sys.modules[name] = None\n"
        "import imbi_sdk.testing\n"
        "print(sorted(imbi_sdk.testing.__all__) == sorted(\n"
        "    name for name in imbi_sdk.testing.__all__ if hasattr(imbi_sdk.testing, name)))\n"
    )
    done = subprocess.run(  # noqa: S603 - a script of our own
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True\n"
