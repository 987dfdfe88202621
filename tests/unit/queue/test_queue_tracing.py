"""What an enqueue tells: a span that its jobs name, and counts of what became of them."""

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from factories import make_event, make_rules, make_targets
from imbi_sdk.queue import ActionQueue, EnqueueCounter, InvalidDelivery, QueueUnavailable, tracing
from imbi_sdk.queue.enqueue_counter import MOST_HANDLERS
from imbi_sdk.testing.queue import FakeQueue
from spans import Spans, traceparent_of

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return Spans(monkeypatch)


async def enqueue(queue: Any, *handlers: str, **options: Any) -> Any:
    return await queue.enqueue_delivery(
        **{
            "delivery": "d-1",
            "webhook_id": "w-1",
            "event": make_event(),
            "rules": make_rules(*handlers or ("github#sync",)),
            "targets": make_targets("p-1", "p-2"),
        }
        | options
    )


async def test_an_enqueue_is_a_span_that_each_of_its_jobs_names(spans: Spans) -> None:
    """A producer's, with the delivery and how many jobs it gave."""
    queue = FakeQueue()
    await enqueue(queue)
    (span,) = spans.named("send imbi:queue")
    assert span.kind is SpanKind.PRODUCER
    assert span.attributes == {
        "messaging.system": "arq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "imbi:queue",
        "messaging.message.conversation_id": "d-1",
        "messaging.batch.message_count": 2,
    }
    assert [job.traceparent for job in queue.jobs] == [traceparent_of(span)] * 2


async def test_an_enqueue_lies_within_the_trace_of_its_caller(spans: Spans) -> None:
    """The current span, or the one that the caller names."""
    with spans.tracer.start_as_current_span("request") as request:
        await enqueue(FakeQueue())
    await enqueue(FakeQueue(), traceparent=GIVEN)
    current, given = spans.named("send imbi:queue")
    assert current.parent == request.get_span_context()
    assert given.parent is not None
    assert f"{given.parent.trace_id:x}" in GIVEN


async def test_without_a_tracer_a_job_carries_what_its_caller_gave() -> None:
    """Or nothing."""
    queue = FakeQueue()
    await enqueue(queue)
    await enqueue(queue, delivery="d-2", traceparent=GIVEN)
    assert [job.traceparent for job in queue.jobs] == [None, None, GIVEN, GIVEN]


STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"


@pytest.mark.parametrize("is_traced", [False, True])
async def test_a_tracestate_goes_with_its_traceparent(
    is_traced: bool,  # noqa: FBT001 - with and without a tracer
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a tracer or without; alone it is nothing, and a malformed one is dropped."""
    if is_traced:
        Spans(monkeypatch)
    queue = FakeQueue()
    for nth, given in enumerate([(GIVEN, STATE), (GIVEN, "not a state"), (None, STATE)]):
        traceparent, tracestate = given
        options = {"traceparent": traceparent, "tracestate": tracestate}
        await enqueue(queue, "github#sync", delivery=f"d-{nth}", **options)
    carried = {job.delivery: job.tracestate for job in queue.jobs}
    assert carried == {"d-0": STATE, "d-1": None, "d-2": None}


async def test_a_delivery_that_is_refused_is_an_error_without_its_text(
    spans: Spans, canary: str
) -> None:
    """The text may quote what was refused."""
    with pytest.raises(InvalidDelivery):
        await enqueue(FakeQueue(), "github#sync", event={canary: float("nan")})
    queue = FakeQueue()
    queue.go_down()
    with pytest.raises(QueueUnavailable):
        await enqueue(queue)
    (span,) = spans.named("send imbi:queue")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "QueueUnavailable"
    assert canary not in spans.text()
    assert not span.events


def test_the_sdk_needs_no_opentelemetry_and_no_prometheus() -> None:
    """Where neither can be imported, an enqueue works and says nothing of itself."""
    script = (
        "import sys, asyncio\n"
        "for name in ('opentelemetry', 'opentelemetry.trace', 'prometheus_client'):\n"
        "    sys.modules[name] = None\n"
        "from imbi_sdk.queue import JobContext, Target, WebhookRule\n"
        "from imbi_sdk.testing.queue import FakeQueue\n"
        "queue = FakeQueue()\n"
        "target = Target(JobContext(project_id='p', project_slug='p', org_slug='o'))\n"
        "asyncio.run(queue.enqueue_delivery(delivery='d', webhook_id='w', event={'type': 'push'},\n"
        "    rules=[WebhookRule(handler='a#b')], targets=[target]))\n"
        "print([job.traceparent for job in queue.jobs])\n"
    )
    done = subprocess.run(  # noqa: S603 - a script of our own
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[None]\n"


def counts(registry: CollectorRegistry) -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["plugin"], sample.labels["action"], sample.labels["result"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.value
    }


async def test_a_gateway_counts_what_became_of_its_jobs() -> None:
    """Accepted, dropped as a duplicate, refused: each job once."""
    registry = CollectorRegistry()
    queue = ActionQueue(FakeQueue()._memory, signer=None, counter=EnqueueCounter(registry))
    await enqueue(queue)
    await enqueue(queue)
    with pytest.raises(InvalidDelivery):
        await enqueue(queue, event={"at": float("nan")})
    with pytest.raises(InvalidDelivery):
        await enqueue(queue, delivery="")
    assert counts(registry) == {
        ("github", "sync", "accepted"): 2,
        ("github", "sync", "duplicate"): 2,
        ("github", "sync", "rejected"): 4,
    }


def test_a_gateway_counts_no_more_handlers_than_it_can_bear() -> None:
    """Rules are anybody's: what comes after the first 500 is other."""
    registry = CollectorRegistry()
    counter = EnqueueCounter(registry)
    for number in range(MOST_HANDLERS + 100):
        counter.count(f"plugin-{number}#act", "accepted")
    found = counts(registry)
    assert found["other", "other", "accepted"] == 100
    assert len(found) == MOST_HANDLERS + 1


def test_a_span_says_where_its_queue_lies() -> None:
    """Host and port, or the path of a socket; a pool that asks Sentinel names nobody."""
    for url, expected in (
        ("redis://:secret@redis.example:6380/0", ("redis.example", 6380)),
        ("redis://redis.example", ("redis.example", 6379)),
        ("unix:///run/redis.sock", ("/run/redis.sock", None)),
    ):
        found = tracing.server_of(Redis.from_url(url))
        assert (found[tracing.SERVER], found.get(tracing.PORT)) == expected
        assert "secret" not in str(found)
    assert tracing.server_of(object()) == {}
