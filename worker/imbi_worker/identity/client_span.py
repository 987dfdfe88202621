"""A request as a span, child of the attempt that makes it; nothing where nobody traces."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_FIRST_ERROR: Final = 400


class Calling:
    """A request under way; *headers* tell its receiver the trace."""

    def __init__(self, span: Span | None, headers: Mapping[str, str]) -> None:
        self._span = span
        self.headers = headers

    def answered(self, status: int) -> None:
        if self._span is None:
            return
        self._span.set_attribute("http.response.status_code", status)
        if status >= _FIRST_ERROR:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)


@contextmanager
def calling(method: str, url: str) -> Generator[Calling]:
    """The span of one request. Of *url* it says all, so there is no query in it."""
    if not trace.get_current_span().get_span_context().is_valid:
        yield Calling(None, _NO_HEADERS)
        return
    tracer = trace.get_tracer("imbi_worker")
    with tracer.start_as_current_span(
        method,
        kind=SpanKind.CLIENT,
        attributes=_told_of(method, url),
        # The texts of a client's errors may hold its headers, and with them a token.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        headers: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(headers)
        try:
            yield Calling(span, headers)
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise


def _told_of(method: str, url: str) -> dict[str, str | int]:
    address = URL(url, encoded=True)
    return {
        "http.request.method": method,
        "url.full": url,
        "server.address": address.host or "",
        "server.port": address.port or 0,
    }
