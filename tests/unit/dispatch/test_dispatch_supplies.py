"""Credentials and context: where they come from, and where they must not go."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from imbi_sdk.attempt import Dead, DeathReason, Deferred, Retry, Succeeded
from imbi_sdk.context import ServicePlugin
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import PluginAuthenticationFailed
from imbi_sdk.graph import ServiceApplicationRecord
from imbi_sdk.manifest import CredentialField
from imbi_sdk.registry import RegistryEntry
from imbi_worker.dispatch import GatewayCredentials, Integration, StoredCredentials

TOKEN = CredentialField(name="token", label="Token")
OPTIONAL = CredentialField(name="token", label="Token", required=False)


class Recorder:
    """An action that notes what it was given; *refusals* times it is refused first."""

    def __init__(self, refusals: int = 0) -> None:
        self.given: list[dict[str, Any]] = []
        self.refusals = refusals

    @property
    def tokens(self) -> list[Any]:
        return [given["credentials"].get("token") for given in self.given]

    async def __call__(
        self,
        *,
        ctx: Any,
        credentials: Any,
        external_identifier: Any,
        action_config: Any,
        event: Any,
    ) -> None:
        self.given.append({"ctx": ctx, "credentials": credentials})
        if len(self.given) <= self.refusals:
            raise PluginAuthenticationFailed(f"401 for {credentials['token']}")


@pytest.fixture
def act() -> Recorder:
    return Recorder()


async def test_stored_credentials_reach_the_action(world: Any, act: Recorder, canary: str) -> None:
    """Decrypted, nulls dropped, with fields the manifest does not name."""
    world.install(act, credentials=(TOKEN,))
    world.attach({"token": canary, "extra": 5, "none": None})
    assert (await world.run(plugin_id="i1")).outcome == Succeeded()
    assert act.given[0]["credentials"] == {"token": canary, "extra": "5"}


async def test_an_application_gives_id_and_secret(world: Any, act: Recorder, canary: str) -> None:
    """For plugins that log in with OAuth."""
    world.install(act, auth_type="oauth2")
    world.attach({"token": "x"})
    secret = world.encryption.encrypt(canary)
    world.graph.applications["i1"] = ServiceApplicationRecord("id", secret)
    await world.run(plugin_id="i1")
    assert act.given[0]["credentials"] == {"client_id": "id", "client_secret": canary}


@pytest.mark.parametrize(
    "blob",
    [None, {}, {"token": ""}, {"token": None}, "not json", "[1]", '"text"', "null"],
    ids=repr,
)
async def test_missing_credentials_are_reported_as_skipped(
    world: Any, act: Recorder, blob: object
) -> None:
    """Naming plugin and field; an unreadable blob counts as none."""
    world.install(act, credentials=(TOKEN,))
    world.attach(blob)
    verdict = await world.run(plugin_id="i1")
    assert verdict.outcome == Dead(
        DeathReason.MISSING_CREDENTIALS,
        "missing credentials: Missing required credentials for plugin 'tickets': ['token']",
        reported_as="skipped",
    )
    assert not act.given


async def test_a_blob_of_another_key_counts_as_none(world: Any, act: Recorder, canary: str) -> None:
    """And nothing of it shows."""
    world.install(act, credentials=(TOKEN,))
    other = TokenEncryption("A" * 43 + "=").encrypt(canary)
    world.attach(configuration=other)
    verdict = await world.run(plugin_id="i1")
    assert isinstance(verdict.outcome, Dead)
    assert verdict.outcome.reason is DeathReason.MISSING_CREDENTIALS
    assert str(other) not in repr(verdict)


@pytest.mark.parametrize("plugin_id", [None, "gone"])
async def test_no_integration_is_no_credential(
    world: Any, act: Recorder, plugin_id: str | None
) -> None:
    """Required ones are then missing; optional ones are just not there."""
    world.install(act, credentials=(TOKEN,))
    verdict = await world.run(plugin_id=plugin_id)
    assert isinstance(verdict.outcome, Dead)
    assert verdict.outcome.reason is DeathReason.MISSING_CREDENTIALS
    world.install(act, credentials=(OPTIONAL,))
    assert (await world.run(plugin_id=plugin_id)).outcome == Succeeded()
    assert act.given[0]["credentials"] == {}
    assert world.graph.reads == ([] if plugin_id is None else ["gone"] * 2)


async def test_the_gateways_stricter_rule_can_be_asked_for(world: Any, act: Recorder) -> None:
    """It skips a plugin that declares credentials and has none, optional or not."""
    world.settings = {"credentials": GatewayCredentials(world.encryption)}
    world.install(act, credentials=(OPTIONAL,))
    world.attach({})
    outcome = (await world.run(plugin_id="i1")).outcome
    assert isinstance(outcome, Dead)
    assert (outcome.reason, outcome.reported_as) == (DeathReason.MISSING_CREDENTIALS, "skipped")
    world.install(act)
    assert (await world.run(plugin_id="i1")).outcome == Succeeded()


async def test_no_credential_goes_to_another_plugins_action(
    world: Any, act: Recorder, canary: str
) -> None:
    """Whoever writes the id of one plugin into a job of another gets nothing."""
    world.install(act)
    world.attach({"token": canary}, slug="payments")
    verdict = await world.run(plugin_id="i1")
    assert isinstance(verdict.outcome, Dead)
    assert verdict.outcome.reason is DeathReason.WRONG_PLUGIN
    assert "'payments'" in verdict.outcome.error
    assert canary not in repr(verdict)
    assert not act.given


async def test_options_and_endpoint_come_from_the_graph(world: Any, act: Recorder) -> None:
    """Never from the job, and each attempt has its own copy."""
    world.install(act)
    world.attach(
        options={"region": "eu", "deep": {"a": 1}},
        service_slug="gh",
        service_endpoint="https://api.example.com",
        service_plugins=(ServicePlugin(slug="github", options={"host": "h"}),),
    )
    await world.run(plugin_id="i1", service="forged")
    ctx = act.given[0]["ctx"]
    assert ctx.assignment_options == {
        "region": "eu",
        "deep": {"a": 1},
        "service_slug": "gh",
        "service_endpoint": "https://api.example.com",
    }
    ctx.assignment_options["deep"]["a"] = 2
    ctx.service_plugins[0].options["host"] = "changed"
    await world.run(plugin_id="i1")
    assert act.given[1]["ctx"].assignment_options["deep"] == {"a": 1}
    assert act.given[1]["ctx"].service_plugins[0].options == {"host": "h"}


async def test_users_are_asked_of_the_plugins_of_the_service(world: Any, act: Recorder) -> None:
    """A commit's author is known by the service's identity plugin, not by the one that runs."""
    world.install(act)
    siblings = (ServicePlugin(slug="github"), ServicePlugin(slug="github-pr-sync"))
    world.attach(service_plugins=siblings)
    await world.run(plugin_id="i1")
    ctx = act.given[0]["ctx"]
    assert await ctx.resolve_user_by_identity("bob") == "bob@tickets.github.github-pr-sync"


async def test_without_an_integration_only_the_service_is_known(world: Any, act: Recorder) -> None:
    """And no endpoint that a credential could be sent to."""
    world.install(act)
    await world.run(service="gh")
    assert act.given[0]["ctx"].assignment_options == {"service_slug": "gh"}
    await world.run()
    assert act.given[1]["ctx"].assignment_options == {}


class Counted(StoredCredentials):
    """Counts how often something is decrypted."""

    decrypted = 0

    def decrypt(self, integration: Integration, entry: RegistryEntry) -> dict[str, str]:
        self.decrypted += 1
        return super().decrypt(integration, entry)


async def test_attempts_at_one_time_share_what_was_decrypted_and_none_keeps_it(
    world: Any, canary: str
) -> None:
    """Each has a copy of its own; with the last one the clear text is gone, and opened anew."""
    credentials = Counted(world.encryption)
    world.settings = {"credentials": credentials}
    given: list[dict[str, str]] = []
    have_begun, may_end = asyncio.Event(), asyncio.Event()

    async def act(
        *,
        ctx: Any,
        credentials: dict[str, str],
        external_identifier: Any,
        action_config: Any,
        event: Any,
    ) -> None:
        given.append(dict(credentials))
        credentials.clear()
        if len(given) == 3:
            have_begun.set()
        await may_end.wait()

    world.install(act, credentials=(TOKEN,))
    world.attach({"token": canary})
    running = [asyncio.create_task(world.run(plugin_id="i1")) for _ in range(3)]
    await have_begun.wait()
    assert given == [{"token": canary}] * 3
    assert credentials.decrypted == 1
    may_end.set()
    await asyncio.gather(*running)
    del running
    await world.run(plugin_id="i1")
    assert credentials.decrypted == 2, "the clear text has outlived the attempts that used it"
    assert world.graph.reads == ["i1"]


async def test_a_failed_attempt_keeps_no_clear_text_either(world: Any, canary: str) -> None:
    """Refused with 401 it decrypts twice, stored and fresh; so does the next attempt."""
    credentials = Counted(world.encryption)
    world.settings = {"credentials": credentials}
    world.install(Recorder(refusals=99), credentials=(TOKEN,))
    world.attach({"token": canary})
    for _ in range(2):
        before = credentials.decrypted
        assert isinstance((await world.run(plugin_id="i1")).outcome, Dead)
        assert credentials.decrypted == before + 2, "one for the call, one with a fresh credential"


async def test_an_integration_is_read_once_in_thirty_seconds(world: Any, act: Recorder) -> None:
    """Ciphertext only; a changed credential is seen half a minute later at most."""
    world.install(act, credentials=(TOKEN,))
    world.attach({"token": "first!"})
    await world.run(plugin_id="i1")
    world.attach({"token": "second"})
    world.clock.moment += timedelta(seconds=29)
    await world.run(plugin_id="i1")
    world.clock.moment += timedelta(seconds=1)
    await world.run(plugin_id="i1")
    assert act.tokens == ["first!", "first!", "second"]
    assert world.graph.reads == ["i1", "i1"]


async def test_jobs_that_ask_together_share_one_reading(world: Any, act: Recorder) -> None:
    """And one that is cancelled meanwhile takes nothing from the others."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await answer.wait()

    world.graph.before = wait
    world.install(act, credentials=(TOKEN,))
    world.attach({"token": "shared"})
    tasks = [asyncio.create_task(world.run(plugin_id="i1")) for _ in range(10)]
    await asked.wait()
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    answer.set()
    verdicts = await asyncio.gather(*tasks[1:])
    assert {type(verdict.outcome) for verdict in verdicts} == {Succeeded}
    assert world.graph.reads == ["i1"]


async def test_a_refused_credential_is_read_anew_at_once(world: Any, canary: str) -> None:
    """Somebody has just replaced it; no attempt and no wait is spent on that."""
    act = Recorder(refusals=1)
    world.install(act, credentials=(TOKEN,))
    world.attach({"token": "stale!"})
    world.dispatcher  # noqa: B018 - made before the change, as a worker is
    await world.dispatcher._integrations.find("i1", with_application=False)
    world.attach({"token": canary})
    assert (await world.run(plugin_id="i1")).outcome == Succeeded()
    assert act.tokens == ["stale!", canary]


async def test_a_credential_refused_twice_shows_nowhere(world: Any, canary: str) -> None:
    """Neither of the two that were tried."""
    act = Recorder(refusals=2)
    world.install(act, credentials=(TOKEN,))
    world.attach({"token": canary})
    verdict = await world.run(plugin_id="i1")
    assert verdict.outcome == Dead(
        DeathReason.PERMANENT_ERROR, "PluginAuthenticationFailed: 401 for ***"
    )
    assert canary not in repr(verdict)
    assert canary not in str(verdict.trace)
    assert len(act.given) == 2


async def test_an_absent_graph_costs_no_attempt(world: Any, act: Recorder) -> None:
    """The job waits, and the engine is told until when to leave such jobs alone."""
    world.install(act)
    world.graph.go_down()
    until = world.clock.moment + timedelta(seconds=5)
    assert world.dispatcher.graph_down_until is None
    verdict = await world.run(plugin_id="i1", attempts_used=7)
    assert verdict.outcome == Deferred(until, "graph unreachable")
    assert world.dispatcher.graph_down_until == until
    assert not act.given


async def test_jobs_without_an_integration_need_no_graph(world: Any, act: Recorder) -> None:
    """Built-in actions go on while it is away."""
    world.install(act)
    world.graph.go_down()
    assert (await world.run()).outcome == Succeeded()


async def test_an_outage_doubles_its_wait_up_to_a_minute(world: Any, act: Recorder) -> None:
    """And jobs that fail together count once; the first answer ends it."""
    world.install(act)
    world.attach()
    world.graph.go_down()
    waits = []
    for _ in range(6):
        await asyncio.gather(*(world.run(plugin_id=f"i{n}") for n in range(5)))
        until = world.dispatcher.graph_down_until
        waits.append((until - world.clock.moment).total_seconds())
        world.clock.moment = until
    assert waits == [5, 10, 20, 40, 60, 60]
    world.graph.failure = None
    assert (await world.run(plugin_id="i1")).outcome == Succeeded()
    assert world.dispatcher.graph_down_until is None


async def test_a_graph_that_never_answers_is_absent(world: Any, act: Recorder) -> None:
    """Else every slot of the worker would soon wait for it."""
    world.settings = {"lookup": timedelta(milliseconds=20)}
    world.install(act)
    world.graph.before = asyncio.Event().wait
    assert isinstance((await world.run(plugin_id="i1")).outcome, Deferred)


async def test_a_week_of_outage_ends_the_job(world: Any, act: Recorder) -> None:
    """As any deferral does."""
    world.install(act)
    world.graph.go_down()
    since = world.clock.moment - timedelta(days=7)
    verdict = await world.run(plugin_id="i1", deferred_since=since)
    assert verdict.outcome == Dead(DeathReason.DEFERRED_TOO_LONG, "graph unreachable")


async def test_a_graph_with_another_failure_is_not_absent(world: Any, act: Recorder) -> None:
    """The attempt has failed, and the other jobs are not held up."""
    world.install(act)
    world.graph.failure = KeyError("odd")
    assert isinstance((await world.run(plugin_id="i1")).outcome, Retry)
    assert world.dispatcher.graph_down_until is None


async def test_the_memory_of_integrations_is_bounded(world: Any, act: Recorder) -> None:
    """And one that is not in the graph is looked for again the next time."""
    world.install(act)
    world.attach()
    integrations = world.dispatcher._integrations
    integrations._entries = 2
    for name in ("a", "b", "c"):
        world.graph.plugins[name] = world.graph.plugins["i1"]
        await world.run(plugin_id=name)
    await world.run(plugin_id="missing")
    assert [plugin_id for plugin_id, _ in integrations._kept] == ["b", "c"]


async def test_each_look_for_credentials_is_told_with_what_came_of_it(
    world: Any, act: Recorder, canary: str
) -> None:
    """From the graph, from memory, a key that opens nothing, none at all, a graph away."""
    told: list[str] = []
    world.settings["on_fetch"] = lambda result, took: told.append(result)
    world.install(act, credentials=(TOKEN,))
    world.attach({"token": canary})
    await world.run(plugin_id="i1")
    await world.run(plugin_id="i1")
    await world.run()
    assert told == ["ok", "cached"]
    for blob, expected in (({}, "missing"), ("not encrypted", "decrypt_error")):
        world.clock.moment += timedelta(minutes=1)
        configuration = blob if isinstance(blob, str) else None
        world.attach(blob, **({"configuration": configuration} if configuration else {}))
        await world.run(plugin_id="i1")
        assert told[-1] == expected
    world.clock.moment += timedelta(minutes=1)
    world.graph.go_down()
    await world.run(plugin_id="i1")
    assert told[-1] == "unavailable"
    assert len(told) == 5
