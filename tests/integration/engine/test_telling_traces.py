"""One delivery as traces: sent by the gateway, processed by the worker, told to Imbi."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.trace import SpanContext, SpanKind, StatusCode
from probe import JOURNAL
from pydantic import SecretStr
from room import Room
from watched import watched

from imbi_sdk.errors import UpstreamError
from imbi_sdk.queue import keys
from imbi_sdk.registry import load_plugins
from imbi_worker import builtin
from imbi_worker.demo.imbi_api import Fault, ImbiApi
from imbi_worker.identity import ApiAddress, ApiClient, Sessions
from imbi_worker.observability import AttemptTraces
from logged import json_log
from spans import Spans, traceparent_of
from waiting import until

PROCESS, SEND = "process imbi:queue", "send imbi:queue"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return Spans(monkeypatch)


def traces(spans: Spans, parenting: Any = "link") -> AttemptTraces:
    return AttemptTraces(spans.tracer, queue=keys.QUEUE, parenting=parenting)


def names(context: SpanContext | None) -> tuple[int, int]:
    """A span's trace and itself; whether it is of this process is no part of it."""
    assert context is not None
    return context.trace_id, context.span_id


async def test_an_attempt_is_a_trace_of_its_own_that_links_to_the_send(
    room: Room, spans: Spans
) -> None:
    """With whom it is for, and what it came to; the second attempt is another one."""
    async with watched(room, traces=traces(spans)):
        enqueued = await room.enqueue({"label": "again", "fails": 1})
        await room.until_ended(enqueued)
        await until(lambda: len(spans.named(PROCESS)) == 2)
    (send,) = spans.named(SEND)
    first, second = spans.named(PROCESS)
    for number, span in enumerate((first, second), 1):
        assert span.kind is SpanKind.CONSUMER
        assert span.parent is None
        assert [names(link.context) for link in span.links] == [names(send.context)]
        assert span.attributes is not None
        assert span.attributes["messaging.operation.name"] == "process"
        assert span.attributes["messaging.message.id"] == enqueued.jobs[0].id
        assert span.attributes["messaging.message.conversation_id"] == "d1"
        assert span.attributes["imbi.plugin.slug"] == "probe"
        assert span.attributes["imbi.action.name"] == "act"
        assert span.attributes["imbi.project.id"] == "p1"
        assert span.attributes["imbi.attempt.number"] == number
        assert span.attributes["imbi.attempt.max"] == 8
    assert first.attributes is not None
    assert (first.attributes["imbi.outcome"], first.attributes["error.type"]) == (
        "retry",
        "transient",
    )
    assert first.status.status_code is StatusCode.ERROR
    assert "answered 503" in str(first.status.description)
    assert second.status.status_code is StatusCode.UNSET
    assert len({span.context.trace_id for span in (send, first, second) if span.context}) == 3


async def test_a_delivery_may_be_one_trace(room: Room, spans: Spans) -> None:
    """Where it is asked for, attempts are children of the send."""
    async with watched(room, traces=traces(spans, "parent")):
        await room.until_ended(await room.enqueue({}))
        await until(lambda: bool(spans.named(PROCESS)))
    (send,), (process,) = spans.named(SEND), spans.named(PROCESS)
    assert names(process.parent) == names(send.context)
    assert not process.links


async def test_only_what_failed_is_an_error(room: Room, spans: Spans) -> None:
    """A skip, a rate limit and a drain are none."""
    async with watched(room, traces=traces(spans)):
        await room.enqueue({"does": "skip"}, delivery="d1", project="p1")
        await room.enqueue({"does": "rate limit", "seconds": 60}, delivery="d2", project="p2")
        await room.enqueue({"does": "wait"}, delivery="d3", project="p3")
        await until(lambda: len(spans.named(PROCESS)) == 2)
        await until(lambda: len(JOURNAL.of("start")) == 3)
    found = {str((span.attributes or {})["imbi.outcome"]): span for span in spans.named(PROCESS)}
    assert set(found) == {"skipped", "deferred"}
    assert len(spans.named(PROCESS)) == 3
    assert all(span.status.status_code is StatusCode.UNSET for span in spans.named(PROCESS))


@pytest.fixture
async def api(canary: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in with one project, and the environment that leads to it."""
    load_plugins(builtins=builtin.BUILTINS)
    async with ImbiApi(token=SecretStr(canary)) as api:
        api.add_project("o", "p1", facts={})
        monkeypatch.setenv("ACTIONS_IMBI_URL", api.url)
        monkeypatch.setenv("ACTIONS_IMBI_TOKEN", canary)
        yield api
        await builtin.close()


async def test_a_request_to_imbi_is_a_child_of_its_attempt(
    room: Room, spans: Spans, api: ImbiApi, canary: str
) -> None:
    """It tells Imbi the trace, and its own span neither token nor body."""
    config = [{"path": "/facts/name", "from": "/payload/name"}]
    async with watched(room, traces=traces(spans), slugs=["gateway-actions"]):
        api.faults.add(Fault(status=503, times=1))
        enqueued = await room.enqueue(
            config,  # type: ignore[arg-type]  # this action's config is a list
            handler="gateway-actions#update_project",
            payload={"name": canary},
        )
        await room.until_ended(enqueued)
        await until(lambda: len(spans.named(PROCESS)) == 2)
    failed, done = spans.named("PATCH")
    assert [span.parent for span in (failed, done)] == [
        span.get_span_context() for span in spans.named(PROCESS)
    ]
    assert done.kind is SpanKind.CLIENT
    assert done.attributes is not None
    assert done.attributes["http.request.method"] == "PATCH"
    assert done.attributes["http.response.status_code"] == 200
    assert done.attributes["server.address"] == "127.0.0.1"
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "503"
    assert failed.status.status_code is StatusCode.ERROR
    assert canary not in spans.text()


async def test_a_request_tells_its_receiver_the_trace(spans: Spans, canary: str) -> None:
    """By the header of W3C; without a trace it sends none."""
    heard: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request.headers.get("traceparent"))
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/users", answer)
    sessions = Sessions()
    async with TestServer(app) as server:
        client = ApiClient(ApiAddress(str(server.make_url("/")), SecretStr(canary)), sessions)
        await client.send("GET", "users")
        with spans.tracer.start_as_current_span("attempt"):
            await client.send("GET", "users", query={"subject": canary})
        await sessions.close()
    (span,) = spans.named("GET")
    assert heard == [None, traceparent_of(span)]
    assert canary not in spans.text()


async def test_a_request_without_an_answer_is_an_error_by_its_kind(
    spans: Spans, canary: str
) -> None:
    """The text of a client's error may hold its headers, so it is left out."""
    sessions = Sessions()
    client = ApiClient(ApiAddress("http://127.0.0.1:1", SecretStr(canary)), sessions)
    with spans.tracer.start_as_current_span("attempt"), pytest.raises(UpstreamError):
        await client.send("GET", "users")
    await sessions.close()
    (span,) = spans.named("GET")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ClientConnectorError"
    assert not span.events
    assert canary not in spans.text()


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    with json_log() as out:
        yield out


async def test_the_log_lines_of_an_attempt_name_its_span(
    room: Room, spans: Spans, out: io.StringIO
) -> None:
    """So that one leads to the other."""
    async with watched(room, traces=traces(spans)):
        await room.until_ended(await room.enqueue({}))
        await until(lambda: bool(spans.named(PROCESS)))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "job.attempt.succeeded"]
    (span,) = spans.named(PROCESS)
    assert span.context is not None
    assert line["trace_id"] == f"{span.context.trace_id:032x}"
    assert line["span_id"] == f"{span.context.span_id:016x}"


async def test_a_timed_out_attempt_ends_its_span_when_it_is_given_up(
    room: Room, spans: Spans
) -> None:
    """Not when an action that ignores its cancel at last lets go."""
    async with watched(room, traces=traces(spans), action_timeout=timedelta(seconds=0.1)) as worker:
        await room.enqueue({"does": "swallow"}, handler="probe#once")
        await until(lambda: bool(spans.named(PROCESS)))
        assert worker.engine.has_unfinished
        JOURNAL.gate.set()
    (span,) = spans.named(PROCESS)
    assert span.attributes is not None
    assert (span.attributes["imbi.outcome"], span.attributes["error.type"]) == ("timeout",) * 2
