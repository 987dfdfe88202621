"""Who a subject is, asked of the stand-in API over real HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from imbi_sdk.errors import UpstreamError
from imbi_sdk.identity_plugin import IdentityPlugin
from imbi_sdk.manifest import PluginManifest
from imbi_sdk.registry import load_plugins
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker.demo.imbi_api import Fault, ImbiApi
from imbi_worker.identity import ApiAddress, ImbiIdentity, Sessions
from imbi_worker.wiring import ApiIdentity


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def api(canary: str) -> AsyncIterator[ImbiApi]:
    async with ImbiApi(token=SecretStr(canary)) as api:
        api.users["github", "90211"] = "mara@tidewater.example"
        yield api


@pytest.fixture
async def identity(api: ImbiApi, canary: str, clock: Clock) -> AsyncIterator[ImbiIdentity]:
    sessions = Sessions()
    address = ApiAddress(api.url, SecretStr(canary))
    yield ImbiIdentity(address, sessions, clock=clock, cache_size=2)
    await sessions.close()


async def test_a_known_subject_is_an_email(api: ImbiApi, identity: ImbiIdentity) -> None:
    """What `PluginContext.resolve_user_by_identity` promises."""
    assert await identity.resolver(["github"])("90211") == "mara@tidewater.example"
    assert api.requests[0].path == "/users/by-identity"


async def test_an_odd_subject_reaches_imbi_unchanged(api: ImbiApi, identity: ImbiIdentity) -> None:
    """Subjects are the other service's business."""
    api.users["github", "a&b=c d+é/%2F"] = "odd@tidewater.example"
    assert await identity.find("github", "a&b=c d+é/%2F") == "odd@tidewater.example"


async def test_an_unknown_subject_is_nobody(identity: ImbiIdentity) -> None:
    """404 is an answer, not a failure; an empty subject is not even asked for."""
    assert await identity.resolver(["github"])("1") is None
    assert await identity.resolver(["github"])("") is None
    assert await identity.resolver([])("90211") is None


async def test_two_plugins_that_agree_name_the_user(api: ImbiApi, identity: ImbiIdentity) -> None:
    """One that knows nobody does not count, and none is asked twice."""
    api.users["oidc", "90211"] = "mara@tidewater.example"
    resolve = identity.resolver(["github", "oidc", "google", "github"])
    assert await resolve("90211") == "mara@tidewater.example"
    assert len(api.requests) == 3


async def test_two_different_users_are_nobody(api: ImbiApi, identity: ImbiIdentity) -> None:
    """Better unattributed than attributed to the wrong person."""
    api.users["oidc", "90211"] = "otto@tidewater.example"
    assert await identity.resolver(["github", "oidc"])("90211") is None


async def test_an_answer_is_remembered_for_a_while(
    api: ImbiApi, identity: ImbiIdentity, clock: Clock
) -> None:
    """Five minutes for a user, half a minute for nobody."""
    await identity.find("github", "90211")
    await identity.find("github", "1")
    clock.now += 29
    await identity.find("github", "90211")
    await identity.find("github", "1")
    assert len(api.requests) == 2
    clock.now += 2
    await identity.find("github", "90211")
    await identity.find("github", "1")
    assert len(api.requests) == 3
    clock.now += 300
    await identity.find("github", "90211")
    assert len(api.requests) == 4


async def test_the_cache_keeps_to_its_size(api: ImbiApi, identity: ImbiIdentity) -> None:
    """The oldest answer goes; memory is bounded whoever pushes."""
    for subject in ("1", "2", "3", "3", "1"):
        await identity.find("github", subject)
    assert len(api.requests) == 4
    assert len(identity._known) == 2


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_when_imbi_is_away_the_job_runs_again(
    api: ImbiApi, identity: ImbiIdentity, status: int
) -> None:
    """No work loses its author because of a restart; the failure is not remembered."""
    api.faults.add(Fault(status=status))
    with pytest.raises(UpstreamError, match=str(status)):
        await identity.find("github", "90211")
    assert await identity.find("github", "90211") == "mara@tidewater.example"


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_is_logged_and_names_nobody(
    api: ImbiApi, identity: ImbiIdentity, caplog: pytest.LogCaptureFixture, status: int, canary: str
) -> None:
    """An author is no reason to lose the work; the operator reads that Imbi refuses."""
    caplog.set_level(logging.DEBUG)
    api.faults.add(Fault(status=status))
    assert await identity.find("github", "90211") is None
    assert f"refused to look up a user of github ({status})" in caplog.text
    assert canary not in caplog.text
    assert await identity.find("github", "90211") == "mara@tidewater.example"


class GitHubLogin(IdentityPlugin):
    manifest = PluginManifest(slug="github", name="GitHub", plugin_type="identity")


class GitHubCommits(WebhookActionPlugin):
    manifest = PluginManifest(slug="github-commit-sync", name="Commits", plugin_type="webhook")

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return []


@pytest.fixture
def registered() -> Iterator[None]:
    load_plugins(builtins=[GitHubLogin, GitHubCommits])
    yield
    load_plugins()


@pytest.mark.usefixtures("registered")
async def test_only_plugins_that_may_know_users_are_asked(
    api: ImbiApi, identity: ImbiIdentity
) -> None:
    """Those of the service, but for the ones that are known to be of another type."""
    directory = ApiIdentity(identity)
    resolve = directory.resolver(["github-commit-sync", "github", "not-installed-here"])
    assert resolve is not None
    assert await resolve("90211") == "mara@tidewater.example"
    assert len(api.requests) == 2
    nobody = directory.resolver(["github-commit-sync"])
    assert nobody is not None
    assert await nobody("90211") is None
    assert len(api.requests) == 2
    assert ApiIdentity(None).resolver(["github"]) is None


async def test_an_answer_of_another_shape_is_upstreams_fault(
    api: ImbiApi, identity: ImbiIdentity
) -> None:
    """A web page or half an answer names nobody, and is no reason to forget the author."""
    for kind in ("html", "cut"):
        api.faults.add(Fault.model_validate({"kind": kind}))
        with pytest.raises(UpstreamError):
            await identity.find("github", "90211")
    assert await identity.find("github", "90211") == "mara@tidewater.example"


async def test_many_who_ask_for_one_user_at_once_ask_imbi_once(
    api: ImbiApi, identity: ImbiIdentity
) -> None:
    """A push of a hundred commits by one author."""
    api.faults.add(Fault(kind="hang"))
    asking = [asyncio.create_task(identity.find("github", "90211")) for _ in range(50)]
    await api.until(lambda: api.in_hand == 1)
    asking.pop().cancel()
    api.faults.release()
    assert set(await asyncio.gather(*asking)) == {"mara@tidewater.example"}
    assert len(api.requests) == 1


async def test_a_failure_is_that_of_all_who_asked(api: ImbiApi, identity: ImbiIdentity) -> None:
    """And the next one asks again."""
    api.faults.add(Fault(status=503))
    found = await asyncio.gather(
        *(identity.find("github", "90211") for _ in range(5)), return_exceptions=True
    )
    assert {type(one) for one in found} == {UpstreamError}
    assert len(api.requests) == 1
    assert await identity.find("github", "90211") == "mara@tidewater.example"
