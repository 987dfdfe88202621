"""The demo plugin against the service that the stand-in plays."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import ConfigurationError, PluginAuthenticationFailed, UpstreamError
from imbi_sdk.testing.deliveries import sample
from imbi_worker import builtin
from imbi_worker.demo.imbi_api import Fault, ImbiApi
from imbi_worker.demo.plugin import DemoPlugin


@pytest.fixture
async def api(canary: str) -> AsyncIterator[ImbiApi]:
    async with ImbiApi(token=SecretStr("imbi"), service_token=SecretStr(canary)) as api:
        yield api
        await builtin.close()


async def run(name: str, config: dict[str, Any], *, endpoint: str | None, token: str) -> None:
    (descriptor,) = (one for one in DemoPlugin.actions() if one.name == name)
    options = {} if endpoint is None else {"service_endpoint": endpoint}
    await descriptor.callable(
        ctx=PluginContext(
            project_id="p-1", project_slug="harbor", org_slug="o", assignment_options=options
        ),
        credentials={"api_token": token},
        external_identifier="710045",
        action_config=descriptor.config_model.model_validate(config),
        event=sample("github-push").event(),
    )


def test_its_credential_is_required() -> None:
    """So that the demo shows what a missing one does."""
    (field,) = DemoPlugin.manifest.credentials
    assert (field.name, field.required) == ("api_token", True)


async def test_notify_reaches_the_service_with_the_credential(api: ImbiApi, canary: str) -> None:
    """At the endpoint the context names, with what the event was."""
    await run("notify", {"message": "hello"}, endpoint=api.service_endpoint, token=canary)
    (request,) = api.requests
    assert (request.path, request.handler) == ("/service/notify", "demo#notify")
    assert request.body == {
        "project_id": "p-1",
        "external_identifier": "710045",
        "message": "hello",
        "type": "push",
    }


async def test_work_reports_its_start_and_its_end(api: ImbiApi, canary: str) -> None:
    """Both carry the delivery, so that order can be read from them."""
    await run("work", {"label": "a"}, endpoint=api.service_endpoint, token=canary)
    assert [request.body["phase"] for request in api.requests] == ["start", "end"]
    assert {request.body["delivery"] for request in api.requests} == {
        "6f1d0c3e-2b7a-11f1-9c4e-0a58a9feac02"
    }


async def test_hang_ends_by_a_cancel_only(canary: str) -> None:
    """What timeouts and drains are shown with."""
    task = asyncio.create_task(run("hang", {}, endpoint=None, token=canary))
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert not done
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_failures_come_by_kind(api: ImbiApi, canary: str) -> None:
    """A wrong credential, a service that is down, an endpoint nobody has set."""
    with pytest.raises(PluginAuthenticationFailed):
        await run("notify", {}, endpoint=api.service_endpoint, token="wrong")
    api.faults.add(Fault(path="/service"))
    with pytest.raises(UpstreamError):
        await run("notify", {}, endpoint=api.service_endpoint, token=canary)
    with pytest.raises(ConfigurationError, match="no api_endpoint"):
        await run("notify", {}, endpoint=None, token=canary)
    with pytest.raises(ConfigurationError, match="the service's api_endpoint must be"):
        await run("notify", {}, endpoint="localhost:1", token=canary)
