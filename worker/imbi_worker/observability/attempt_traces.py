"""One span for each attempt, ``process <queue>``, and what it says when the attempt has ended.

An attempt may come hours after its delivery, so by default it is a trace of its own with a
link to the gateway's ``send``; as a child of it, the whole delivery is one trace.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from opentelemetry import context as contexts
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from imbi_sdk.queue import tracing
from imbi_worker.dispatch import Attempt

Parenting: TypeAlias = Literal["link", "parent"]
_NOWHERE: Final[Mapping[str, str | int]] = MappingProxyType({})


class AttemptTraces:
    """Opens and closes the spans of attempts."""

    def __init__(
        self,
        tracer: Tracer,
        *,
        queue: str,
        parenting: Parenting = "link",
        server: Mapping[str, str | int] = _NOWHERE,
    ) -> None:
        """*server* is where the queue lies, as `tracing.server_of` says it."""
        self._tracer = tracer
        self._name = f"process {queue}"
        self._attributes = {**tracing.attributes("process", queue), **server}
        self._is_child = parenting == "parent"
        self._format = TraceContextTextMapPropagator()

    def open(self, attempt: Attempt, most_attempts: int) -> Span:
        """The attempt's span, current in the task that calls this, until it ends.

        There is no way back to the span before: the task is the attempt's own.
        """
        sender, links = contexts.Context(), []
        if attempt.job.traceparent:
            carrier = tracing.carrier_of(attempt.job.traceparent, attempt.job.tracestate)
            sender = self._format.extract(carrier, sender)
            sent = get_current_span(sender).get_span_context()
            links = [Link(sent)] if sent.is_valid else []
        span = self._tracer.start_span(
            self._name,
            context=sender if self._is_child else contexts.Context(),
            kind=SpanKind.CONSUMER,
            attributes={
                **self._attributes,
                **_told_of(attempt),
                tracing.MOST_ATTEMPTS: most_attempts,
            },
            links=None if self._is_child else links,
        )
        contexts.attach(set_span_in_context(span))
        return span


def ids_of(span: Span) -> Mapping[str, str]:
    """The names of a span, for log lines and pages."""
    told = span.get_span_context()
    return {
        "trace_id": format_trace_id(told.trace_id),
        "span_id": format_span_id(told.span_id),
    }


def close(span: Span, outcome: str, *, error_class: str = "", error: str = "") -> None:
    """End *span*; only a failed attempt has an error. *error* is redacted already."""
    span.set_attribute(tracing.OUTCOME, outcome)
    if error_class:
        span.set_attribute(tracing.ERROR_TYPE, error_class)
        span.set_status(StatusCode.ERROR, error)
    span.end()


def _told_of(attempt: Attempt) -> dict[str, Any]:
    job = attempt.job
    plugin, _, action = job.handler.partition("#")
    return {
        tracing.MESSAGE: job.id,
        tracing.CONVERSATION: job.delivery,
        tracing.PLUGIN: plugin,
        tracing.ACTION: action,
        tracing.PROJECT: job.context.project_id,
        tracing.ATTEMPT: attempt.number,
    }
