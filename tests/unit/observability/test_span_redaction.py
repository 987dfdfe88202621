"""What plugins and their libraries trace has no secret in it."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode, Tracer

from imbi_sdk.attempt import Redactor
from imbi_sdk.queue import tracing
from imbi_worker.observability.span_redaction import RedactingProcessor


class Traced:
    """A provider as the worker sets it up, with spans in memory."""

    def __init__(self, canary: str) -> None:
        redactor = Redactor()
        redactor.register([canary])
        self._exporter = InMemorySpanExporter()
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(
            RedactingProcessor(SimpleSpanProcessor(self._exporter), redactor)
        )

    @property
    def tracer(self) -> Tracer:
        return self._provider.get_tracer("a plugin's library")

    @property
    def only(self) -> ReadableSpan:
        (span,) = self._exporter.get_finished_spans()
        return span

    def end(self) -> bool:
        is_flushed = self._provider.force_flush()
        self._provider.shutdown()
        return is_flushed


@pytest.fixture
def traced(canary: str) -> Traced:
    return Traced(canary)


def ask(tracer: Tracer, secret: str) -> None:
    """As an instrumented client does, and fails."""
    with tracer.start_as_current_span(f"GET /{secret}", attributes={"url.full": secret}) as span:
        span.set_attribute("many", ["a", secret])
        span.set_attribute(secret, 1)
        span.add_event(f"retried {secret}", {"header": f"Bearer {secret}"})
        raise RuntimeError(f"refused {secret}")


def test_a_secret_is_masked_wherever_a_span_may_have_it(traced: Traced, canary: str) -> None:
    """Name, attributes, events, the error that ended it."""
    with pytest.raises(RuntimeError):
        ask(traced.tracer, canary)
    shown = traced.only.to_json()
    assert canary not in shown
    assert traced.only.name == "GET /***"
    assert traced.only.status.description == "RuntimeError: refused ***"
    assert "RuntimeError: refused ***" in str(
        (traced.only.events[1].attributes or {})["exception.stacktrace"]
    )


def test_everything_else_is_as_it_was(traced: Traced) -> None:
    """Ids, times, kind, links, numbers: a masked span stands in the same trace."""
    tracer = traced.tracer
    parent = tracer.start_span("never ended")
    began = tracer.start_span("x")
    link = Link(parent.get_span_context(), {"n": 1})
    span = tracer.start_span(
        "work",
        kind=SpanKind.CLIENT,
        links=[link],
        attributes={"n": 1, "f": 0.5, "b": True, tracing.MESSAGE: "token=abcdef", "l": [1, 2]},
    )
    span.set_status(StatusCode.ERROR, "why")
    span.end()
    found = traced.only
    assert found.context == span.get_span_context()
    assert (found.kind, found.status.status_code, found.status.description) == (
        SpanKind.CLIENT,
        StatusCode.ERROR,
        "why",
    )
    assert [(one.context, one.attributes) for one in found.links] == [(link.context, {"n": 1})]
    assert found.attributes == {
        "n": 1,
        "f": 0.5,
        "b": True,
        tracing.MESSAGE: "token=abcdef",
        "l": (1, 2),
    }
    assert found.start_time is not None
    assert found.end_time is not None
    assert found.start_time <= found.end_time
    assert found.instrumentation_scope is not None
    assert found.instrumentation_scope.name == "a plugin's library"
    assert began.is_recording()
    assert traced.end()
