"""What every directory of users keeps: Imbi's API and the fake one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import pytest
from pydantic import SecretStr

from imbi_sdk.context import UserResolver
from imbi_sdk.errors import UpstreamError
from imbi_sdk.testing import FakeIdentity
from imbi_worker.demo.imbi_api import Fault, ImbiApi
from imbi_worker.identity import ApiAddress, ImbiIdentity, Sessions

USERS = {
    ("github", "90211"): "mara@tidewater.example",
    ("oidc", "90211"): "mara@tidewater.example",
    ("google", "90211"): "otto@tidewater.example",
    ("github", "a&b=c d+é/%2F"): "odd@tidewater.example",
}


class Directory(Protocol):
    def resolver(self, plugin_slugs: list[str]) -> UserResolver: ...

    async def find(self, plugin_slug: str, subject: str) -> str | None: ...


@dataclass
class Town:
    """A directory, and the house it is kept in."""

    directory: Directory
    house: ImbiApi | FakeIdentity

    def go_down(self) -> None:
        if isinstance(self.house, FakeIdentity):
            self.house.go_down()
        else:
            self.house.faults.add(Fault(status=503))

    @property
    def questions(self) -> int:
        if isinstance(self.house, FakeIdentity):
            return len(self.house.asked)
        return len(self.house.requests)


@pytest.fixture(params=["imbi", "fake"])
async def town(request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    if request.param == "fake":
        fake = FakeIdentity(USERS)
        yield Town(fake, fake)
        return
    token, sessions = SecretStr("a-token-for-tests"), Sessions()
    async with ImbiApi(token=token) as api:
        api.users.update(USERS)
        yield Town(ImbiIdentity(ApiAddress(api.url, token), sessions), api)
        await sessions.close()


async def test_a_known_subject_is_an_email(town: Town) -> None:
    """What ``resolve_user_by_identity`` promises to an action."""
    assert await town.directory.resolver(["github"])("90211") == "mara@tidewater.example"
    assert await town.directory.find("google", "90211") == "otto@tidewater.example"


async def test_a_subject_is_data(town: Town) -> None:
    """Whatever characters the other service puts into it."""
    assert await town.directory.find("github", "a&b=c d+é/%2F") == "odd@tidewater.example"
    assert await town.directory.find("github", "90211&x=") is None


async def test_an_unknown_subject_is_nobody(town: Town) -> None:
    """An answer, not a failure."""
    assert await town.directory.resolver(["github"])("1") is None
    assert await town.directory.resolver(["gitlab"])("90211") is None


async def test_nobody_is_asked_for_nobody(town: Town) -> None:
    """An empty subject, or no plugin to ask."""
    assert await town.directory.resolver(["github"])("") is None
    assert await town.directory.resolver([])("90211") is None
    assert town.questions == 0


async def test_plugins_that_agree_name_the_user(town: Town) -> None:
    """One that knows nobody does not count, and none is asked twice."""
    resolve = town.directory.resolver(["github", "oidc", "gitlab", "github"])
    assert await resolve("90211") == "mara@tidewater.example"
    assert town.questions == 3


async def test_plugins_that_differ_name_nobody(town: Town) -> None:
    """Better unattributed than attributed to the wrong person."""
    assert await town.directory.resolver(["github", "google"])("90211") is None


async def test_a_directory_that_is_away_is_an_error_to_retry(town: Town) -> None:
    """Not nobody: the work would lose its author for good."""
    town.go_down()
    with pytest.raises(UpstreamError):
        await town.directory.resolver(["github"])("90211")
