"""The stand-in API as another process meets it: tokens, faults and read-back over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from pydantic import SecretStr

from imbi_worker.demo.imbi_api import ImbiApi


@pytest.fixture
async def api(canary: str) -> AsyncIterator[ImbiApi]:
    async with ImbiApi(token=SecretStr(canary), service_token=SecretStr("service")) as api:
        api.add_project("o", "p-1", name="Harbor")
        api.add_project("o", "p-2", name="Berth")
        yield api


@pytest.fixture
async def imbi(api: ImbiApi, canary: str) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {canary}"}
    async with aiohttp.ClientSession(api.url, headers=headers) as session:
        yield session


async def status(imbi: aiohttp.ClientSession, path: str) -> int:
    async with imbi.get(path) as response:
        return response.status


@pytest.mark.parametrize("path", ["/organizations/o/projects/p-1", "/_projects", "/_faults"])
@pytest.mark.parametrize("token", ["Bearer wrong", "Bearer service", "Basic x", "Bearer é", None])
async def test_without_the_token_there_is_nothing(
    api: ImbiApi, path: str, token: str | None
) -> None:
    """As with Imbi itself; the service's token opens the service only."""
    headers = {} if token is None else {"Authorization": token}
    async with aiohttp.ClientSession(api.url, headers=headers) as session:
        assert await status(session, path) == 401


async def test_the_service_has_a_token_of_its_own(api: ImbiApi, canary: str) -> None:
    """A plugin's credential is not Imbi's token."""
    for token, expected in (("service", 202), (canary, 401)):
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{api.service_endpoint}/notify", json={"project_id": "p-1"}) as response,
        ):
            assert response.status == expected
    assert [request.project_id for request in api.requests] == ["p-1"]


async def test_a_project_is_read_back_and_an_unknown_one_is_not(
    imbi: aiohttp.ClientSession,
) -> None:
    """What was written can be seen from outside."""
    async with imbi.get("/organizations/o/projects/p-1") as response:
        assert await response.json() == {"id": "p-1", "name": "Harbor"}
    async with imbi.get("/_projects") as response:
        assert [project["id"] for project in await response.json()] == ["p-1", "p-2"]
    assert await status(imbi, "/organizations/o/projects/p-3") == 404
    assert await status(imbi, "/nowhere") == 404


async def test_a_patch_must_be_a_fitting_json_patch(imbi: aiohttp.ClientSession) -> None:
    """The stand-in is as strict as the real one where our request could be wrong."""
    path, operations = "/organizations/o/projects/p-1", '[{"op":"add","path":"/a","value":1}]'
    patch = {"Content-Type": "application/json-patch+json"}
    async with imbi.patch(path, data=operations) as response:
        assert response.status == 415
    async with imbi.patch(path, data="{}", headers=patch) as response:
        assert response.status == 422
    async with imbi.patch(path, data=operations, headers=patch) as response:
        assert (await response.json())["a"] == 1


async def test_faults_are_set_over_http(imbi: aiohttp.ClientSession) -> None:
    """For a test whose worker and API live in other processes."""
    fault = {"status": 429, "retry_after": 1.5, "times": 2, "project_id": "p-1"}
    async with imbi.post("/_faults", json=fault) as response:
        assert response.status == 204
    async with imbi.post("/_faults", json={"kind": "odd"}) as response:
        assert response.status == 422
    assert await status(imbi, "/organizations/o/projects/p-2") == 200
    async with imbi.get("/organizations/o/projects/p-1") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1.5")
    async with imbi.delete("/_faults") as response:
        assert response.status == 204
    assert await status(imbi, "/organizations/o/projects/p-1") == 200


async def test_a_hanging_request_goes_on_when_released(
    api: ImbiApi, imbi: aiohttp.ClientSession
) -> None:
    """It is in hand meanwhile, and answered as if nothing had been."""
    async with imbi.post("/_faults", json={"kind": "hang", "path": "/users"}) as response:
        assert response.status == 204
    hanging = asyncio.create_task(status(imbi, "/users/by-identity"))
    await api.until(lambda: api.in_hand == 1)
    assert await status(imbi, "/organizations/o/projects/p-1") == 200
    async with imbi.post("/_faults/release") as response:
        assert response.status == 204
    assert await hanging == 404
    assert api.in_hand == 0
    assert api.requests[0].path == "/users/by-identity"


async def test_the_requests_can_be_read_by_project(imbi: aiohttp.ClientSession) -> None:
    """In the order of arrival, without those of the control routes."""
    for project in ("p-2", "p-1", "p-2"):
        await status(imbi, f"/organizations/o/projects/{project}")
    async with imbi.get("/_requests") as response:
        requests = await response.json()
    assert [request["project_id"] for request in requests] == ["p-2", "p-1", "p-2"]
    assert [request["number"] for request in requests] == [1, 2, 3]
    async with imbi.get("/_requests", params={"project_id": "p-2"}) as response:
        assert len(await response.json()) == 2


async def test_waiting_for_what_does_not_come_ends(api: ImbiApi) -> None:
    """A condition that stays false fails its test by name, not by the suite's timeout."""
    with pytest.raises(TimeoutError):
        await api.until(lambda: api.in_hand > 0, within=timedelta(seconds=0.05))


async def test_it_stops_although_a_request_hangs(canary: str) -> None:
    """A test that fails half-way must not hang at its end."""
    api = ImbiApi(token=SecretStr(canary))
    await api.start()
    headers = {"Authorization": f"Bearer {canary}"}
    async with aiohttp.ClientSession(api.url, headers=headers) as session:
        async with session.post("/_faults", json={"kind": "hang"}) as response:
            assert response.status == 204
        hanging = asyncio.create_task(status(session, "/users/by-identity"))
        await api.until(lambda: api.in_hand == 1)
        async with asyncio.timeout(10):
            await api.stop()
            await api.stop()
            assert await hanging == 404
    with pytest.raises(RuntimeError, match="not started"):
        _ = api.url
