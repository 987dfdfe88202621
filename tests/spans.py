"""Spans in memory, for the length of a test."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Spans:
    """What has been traced since the test began; *provider* is the process's own meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        # A provider can be set once in a process, and other tests trace nothing.
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", self.provider)

    @property
    def tracer(self) -> trace.Tracer:
        return self.provider.get_tracer("test")

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of that name that have ended, in the order they did."""
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def text(self) -> str:
        """All that an exporter could send."""
        return "".join(str(span.to_json()) for span in self._exporter.get_finished_spans())


def traceparent_of(span: ReadableSpan) -> str:
    """As it stands in a job."""
    told = span.get_span_context()
    assert told is not None
    return f"00-{told.trace_id:032x}-{told.span_id:016x}-{int(told.trace_flags):02x}"
