"""``gateway-actions#update_project`` against the stand-in API, over real HTTP."""

import asyncio
import logging
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from datetime import timedelta

import pytest
from pydantic import SecretStr

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import (
    ConfigurationError,
    PermanentError,
    PluginAuthenticationFailed,
    PluginRateLimited,
    UpstreamError,
)
from imbi_sdk.testing.deliveries import sample
from imbi_worker import builtin
from imbi_worker.builtin.update_project import UpdateProjectConfig, update_project
from imbi_worker.demo.imbi_api import Fault, ImbiApi
from imbi_worker.identity import ApiAddress, ApiClient, Sessions, Unanswered

CONFIG = UpdateProjectConfig.model_validate(
    [
        {"path": "/facts/revision", "from": "/payload/after"},
        {"path": "/changed_by", "from": "/payload/sender/login"},
    ]
)


@pytest.fixture
async def api(canary: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ImbiApi]:
    """The stand-in with one project, and the environment that leads to it."""
    async with ImbiApi(token=SecretStr(canary)) as api:
        api.add_project("tidewater", "p-1", facts={})
        monkeypatch.setenv("ACTIONS_IMBI_URL", api.url)
        monkeypatch.setenv("ACTIONS_IMBI_TOKEN", canary)
        yield api
        await builtin.close()


async def run(project_id: str = "p-1", org_slug: str = "tidewater") -> None:
    await update_project(
        ctx=PluginContext(project_id=project_id, project_slug="harbor", org_slug=org_slug),
        credentials={},
        external_identifier="710045",
        action_config=CONFIG,
        event=sample("github-push").event(),
    )


async def failure(action: Awaitable[None]) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - its kind is what the caller looks at
        await action
    return raised.value


def shown(error: BaseException) -> str:
    """All that any log could make of an error: chain, notes, and the locals of every frame."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(whole.format()) + repr(error) + repr(error.args)


async def test_the_project_gets_the_values_of_the_event(api: ImbiApi) -> None:
    """One PATCH, as JSON Patch, that tells which handler it comes from."""
    await run()
    assert api.projects["tidewater", "p-1"] == {
        "id": "p-1",
        "facts": {"revision": "c02f9d5713be48a6f0e1d7294ab85c6310f2e9d4"},
        "changed_by": "maralind",
    }
    (request,) = api.requests
    assert (request.method, request.status) == ("PATCH", 200)
    assert request.path == "/organizations/tidewater/projects/p-1"
    assert request.handler == "gateway-actions#update_project"
    assert [operation["op"] for operation in request.body] == ["add", "add"]


async def test_odd_names_stay_in_their_path_segment(api: ImbiApi) -> None:
    """An organization or project cannot reach beyond its own resource by its name."""
    api.add_project("tide/../water", "p 1%2F?x#y", facts={})
    await run("p 1%2F?x#y", "tide/../water")
    assert "changed_by" in api.projects["tide/../water", "p 1%2F?x#y"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, PermanentError),
        (401, PluginAuthenticationFailed),
        (403, PermanentError),
        (404, PermanentError),
        (408, UpstreamError),
        (422, PermanentError),
        (500, UpstreamError),
        (503, UpstreamError),
    ],
)
async def test_an_error_status_becomes_its_kind(
    api: ImbiApi, status: int, kind: type[Exception]
) -> None:
    """The kind decides whether the job runs again; nothing is swallowed."""
    api.faults.add(Fault(status=status))
    error = await failure(run())
    assert type(error) is kind
    assert str(status) in str(error)
    assert "/organizations/tidewater/projects/p-1" in str(error)


async def test_a_busy_imbi_says_when_to_come_back(api: ImbiApi) -> None:
    """429 uses no attempt; its Retry-After becomes the moment, that of a 503 a floor."""
    api.faults.add(Fault(status=429, retry_after=60))
    api.faults.add(Fault(status=503, retry_after=7))
    limited, unavailable = await failure(run()), await failure(run())
    assert isinstance(limited, PluginRateLimited)
    assert limited.retry_at == pytest.approx(time.time() + 60, abs=5)
    assert isinstance(unavailable, UpstreamError)
    assert unavailable.retry_after == timedelta(seconds=7)


async def test_after_a_failure_the_next_run_succeeds(api: ImbiApi) -> None:
    """A failure leaves nothing behind that spoils the session."""
    api.faults.add(Fault(times=3))
    for _ in range(3):
        assert isinstance(await failure(run()), UpstreamError)
    await run()
    assert [request.status for request in api.requests] == [503, 503, 503, 200]


async def test_a_redirect_is_not_followed(api: ImbiApi) -> None:
    """The token goes to no address that nobody has configured."""
    api.faults.add(Fault(status=307, location=f"{api.url}/elsewhere"))
    with pytest.raises(ConfigurationError, match="set ACTIONS_IMBI_URL"):
        await run()
    assert len(api.requests) == 1


async def test_without_a_token_no_request_is_made(
    api: ImbiApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is read at each call, and named when it is missing."""
    monkeypatch.delenv("ACTIONS_IMBI_TOKEN")
    with pytest.raises(ConfigurationError, match="ACTIONS_IMBI_TOKEN is not set"):
        await run()
    assert api.requests == ()


async def test_a_refused_connection_is_upstreams_fault(
    api: ImbiApi, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """Imbi restarting: the job runs again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("ACTIONS_IMBI_URL", f"http://127.0.0.1:{port}")
    error = await failure(run())
    assert isinstance(error, UpstreamError)
    assert canary not in shown(error)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"?\r\n"]
)
async def test_a_broken_answer_is_upstreams_fault(
    api: ImbiApi, monkeypatch: pytest.MonkeyPatch, canary: str, answer: bytes
) -> None:
    """A connection cut at any point; the library's errors, which hold the token, stay inside."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("ACTIONS_IMBI_URL", f"http://127.0.0.1:{port}")
        error = await failure(run())
    assert isinstance(error, UpstreamError)
    assert (error.__cause__, error.__context__) == (None, None)
    assert canary not in shown(error)


async def test_an_answer_that_does_not_come_is_a_timeout(api: ImbiApi, canary: str) -> None:
    """A silent service costs one phase, not the job's whole timeout."""
    sessions = Sessions(phase=timedelta(seconds=0.2))
    client = ApiClient(ApiAddress(api.url, SecretStr(canary)), sessions)
    api.faults.add(Fault(kind="hang"))
    error = await failure(
        client.patch("organizations", "tidewater", "projects", "p-1", operations=[])
    )
    assert isinstance(error, UpstreamError)
    assert "no answer within 0.2 s" in str(error)
    assert canary not in shown(error)
    await sessions.close()


async def test_an_answer_of_a_byte_at_a_time_is_a_timeout(api: ImbiApi, canary: str) -> None:
    """Every byte is in time, and the whole of them never."""
    sessions = Sessions(phase=timedelta(seconds=0.2), whole=timedelta(seconds=0.5))
    client = ApiClient(ApiAddress(api.url, SecretStr(canary)), sessions)
    api.faults.add(Fault(kind="slow", seconds=0.05))
    error = await failure(
        client.patch("organizations", "tidewater", "projects", "p-1", operations=[])
    )
    assert isinstance(error, Unanswered)
    assert "no whole answer within 0.5 s" in str(error)
    assert canary not in shown(error)
    await sessions.close()


async def test_an_answer_has_a_largest_size(
    api: ImbiApi, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """Whoever answers without an end fills no memory; asking again would not help."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b" " * 1_000_000)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(flood, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("ACTIONS_IMBI_URL", f"http://127.0.0.1:{port}")
        error = await failure(run())
    assert isinstance(error, PermanentError)
    assert "more than 16777216 bytes" in str(error)
    assert canary not in shown(error)


async def test_a_web_page_is_no_answer(api: ImbiApi) -> None:
    """A proxy's sign-in page comes with a 200, and nothing was written."""
    api.faults.add(Fault(kind="html"))
    with pytest.raises(UpstreamError, match="web page: is ACTIONS_IMBI_URL the address"):
        await run()
    assert "changed_by" not in api.projects["tidewater", "p-1"]


async def test_a_cancel_during_a_call_frees_its_connection(api: ImbiApi) -> None:
    """A timed-out job must not take a place in the pool with it."""
    api.faults.add(Fault(kind="hang"))
    task = asyncio.create_task(run())
    await api.until(lambda: api.in_hand == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    api.faults.release()
    await run()


@pytest.mark.parametrize("status", [307, 401, 404, 429, 503])
async def test_the_token_shows_nowhere(
    api: ImbiApi, canary: str, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """No error, no log line, not even the locals of a traceback."""
    caplog.set_level(logging.DEBUG)
    api.faults.add(Fault(status=status))
    assert canary not in shown(await failure(run()))
    assert canary not in caplog.text


async def test_a_hundred_at_once_share_one_session(api: ImbiApi) -> None:
    """A session costs more than all the rest of a job: there is one a loop, pooled."""
    session = builtin.SESSIONS.current()
    for _ in range(2):
        await asyncio.gather(*(run() for _ in range(100)))
    assert builtin.SESSIONS.current() is session
    assert [request.status for request in api.requests] == [200] * 200
    assert len({request.peer for request in api.requests}) <= 100


async def test_calls_one_after_another_keep_their_connection(api: ImbiApi) -> None:
    """No handshake per job."""
    for _ in range(5):
        await run()
    assert len({request.peer for request in api.requests}) == 1


async def test_a_closed_session_is_opened_again_at_need(api: ImbiApi) -> None:
    """Closing is for the shutdown, twice if it must be, and breaks no late action."""
    await run()
    session = builtin.SESSIONS.current()
    await builtin.close()
    await builtin.close()
    assert session.closed
    await run()
    assert builtin.SESSIONS.current() is not session


def test_each_event_loop_has_its_own_session() -> None:
    """A session of a loop that has ended would hang; it is forgotten instead."""
    sessions = Sessions()

    async def once() -> int:
        session = sessions.current()
        assert sessions.current() is session
        await session.close()
        return len(sessions._by_loop)

    assert [asyncio.run(once()), asyncio.run(once())] == [1, 1]
