"""The span of an attempt, whatever its job says of the trace it belongs to."""

import contextvars

import pytest
from opentelemetry.trace import Span
from recorded import attempt

from imbi_worker.observability.attempt_traces import AttemptTraces, close, ids_of
from spans import Spans

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOBODY = f"00-{'0' * 32}-{'0' * 16}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return Spans(monkeypatch)


def opened(traces: AttemptTraces, traceparent: str | None) -> Span:
    """Opened as the engine does it: in the context of a task of its own."""
    job = attempt(traceparent=traceparent)
    return contextvars.copy_context().run(lambda: traces.open(job, 8))


@pytest.mark.parametrize("traceparent", [None, "", "nonsense", NOBODY, "00-x-y-01", "\0"])
@pytest.mark.parametrize("parenting", ["link", "parent"])
def test_a_trace_that_is_no_trace_is_left_out(
    spans: Spans, traceparent: str | None, parenting: str
) -> None:
    """A stock client may write what it likes into a job."""
    traces = AttemptTraces(spans.tracer, queue="q", parenting=parenting)  # type: ignore[arg-type]  # both of its words
    span = opened(traces, traceparent)
    close(span, "succeeded")
    (done,) = spans.named("process q")
    assert done.parent is None
    assert not done.links


def test_what_somebody_else_traces_is_no_parent_of_an_attempt(spans: Spans) -> None:
    """The claim loop's own span, say; an attempt's parent is its delivery or nobody."""
    for parenting in ("link", "parent"):
        traces = AttemptTraces(spans.tracer, queue="q", parenting=parenting)  # type: ignore[arg-type]  # both of its words
        with spans.tracer.start_as_current_span("somebody else"):
            close(opened(traces, None), "succeeded")
    assert [span.parent for span in spans.named("process q")] == [None, None]


def test_the_names_of_a_span_are_those_of_its_trace(spans: Spans) -> None:
    """As hexadecimal text of fixed length."""
    traces = AttemptTraces(spans.tracer, queue="q", parenting="parent")
    ids = ids_of(opened(traces, GIVEN))
    assert ids["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert len(ids["span_id"]) == 16
