"""Spans without secrets: what a plugin and its libraries trace is masked before it is kept.

An instrumented HTTP client writes whole addresses, and a span that an error ends writes the
error. Masked when the span ends, not when it is sent: only then are the secrets known.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Status
from opentelemetry.util.types import Attributes

from imbi_sdk.attempt import Redactor
from imbi_sdk.queue import tracing

_TRACEBACK: Final = "exception.stacktrace"
_OURS: Final = tracing.OUR_OWN


class RedactingProcessor(SpanProcessor):
    """Hands spans on to *then*, masked."""

    def __init__(self, then: SpanProcessor, redactor: Redactor) -> None:
        self._then = then
        self._redactor = redactor

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self._then.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self._then.on_end(self._masked(span))

    def shutdown(self) -> None:
        self._then.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._then.force_flush(timeout_millis)

    def _masked(self, span: ReadableSpan) -> ReadableSpan:
        text = self._redactor.text
        description = span.status.description
        return ReadableSpan(
            name=text(span.name),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=self._attributes(span.attributes),
            events=[
                Event(text(event.name), self._attributes(event.attributes), event.timestamp)
                for event in span.events
            ],
            links=span.links,
            kind=span.kind,
            status=Status(span.status.status_code, description and text(description)),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _attributes(self, attributes: Attributes) -> Mapping[str, Any]:
        return {
            name if name in _OURS else self._redactor.text(name): self._value(name, value)
            for name, value in (attributes or {}).items()
        }

    def _value(self, name: str, value: Any) -> Any:
        if name in _OURS or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            mask = self._redactor.trace if name == _TRACEBACK else self._redactor.text
            return mask(value)
        if isinstance(value, Sequence):
            return tuple(self._value("", member) for member in value)
        return value
