"""Spans of the queue: the names of OpenTelemetry's messaging conventions, and ``send``.

Without ``opentelemetry-api`` nothing is traced, and nothing is asked again. The conventions
(1.44) are still in development: a rename of theirs is an edit here.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from imbi_sdk.queue.tracestate import bounded

SYSTEM: Final = "messaging.system"
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
MESSAGE: Final = "messaging.message.id"
CONVERSATION: Final = "messaging.message.conversation_id"
BATCH: Final = "messaging.batch.message_count"
ERROR_TYPE: Final = "error.type"
PLUGIN: Final = "imbi.plugin.slug"
ACTION: Final = "imbi.action.name"
PROJECT: Final = "imbi.project.id"
ATTEMPT: Final = "imbi.attempt.number"
MOST_ATTEMPTS: Final = "imbi.attempt.max"
OUTCOME: Final = "imbi.outcome"
SERVER: Final = "server.address"
PORT: Final = "server.port"
_REDIS_PORT: Final = 6379
# What no plugin writes: ids and words of our own.
OUR_OWN: Final = frozenset(
    {
        *(SYSTEM, OPERATION_NAME, OPERATION_TYPE, DESTINATION, MESSAGE, CONVERSATION, BATCH),
        *(ERROR_TYPE, PLUGIN, ACTION, PROJECT, ATTEMPT, MOST_ATTEMPTS, OUTCOME, SERVER, PORT),
    }
)


def _optional(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        return None


_TRACE: Final[Any] = _optional("opentelemetry.trace")
_FORMAT: Final[Any] = _optional("opentelemetry.trace.propagation.tracecontext")


def attributes(operation: str, queue: str) -> dict[str, Any]:
    """What every span of *operation* (``send`` or ``process``) says."""
    return {
        SYSTEM: "arq",
        OPERATION_NAME: operation,
        OPERATION_TYPE: operation,
        DESTINATION: queue,
    }


def server_of(redis: Any) -> dict[str, str | int]:
    """Where the server of a Redis client is; nothing where its pool does not say."""
    pool = getattr(redis, "connection_pool", None)
    given: Mapping[str, Any] = getattr(pool, "connection_kwargs", {})
    if "path" in given:
        return {SERVER: str(given["path"])}
    if "host" not in given:
        # A pool of Sentinel's asks for the primary each time.
        return {}
    return {SERVER: str(given["host"]), PORT: int(given.get("port", _REDIS_PORT))}


def carrier_of(traceparent: str | None, tracestate: str | None) -> dict[str, str]:
    """What a propagator reads; a tracestate that is malformed, or alone, is left out."""
    if not traceparent:
        return {}
    state = bounded(tracestate)
    return {"traceparent": traceparent} | ({"tracestate": state} if state else {})


@contextmanager
def sending(
    queue: str,
    delivery: str,
    *,
    given: tuple[str | None, str | None],
    server: Mapping[str, str | int],
) -> Generator["Sending"]:
    """The span ``send <queue>`` around an enqueue, within what is *given*, or the current span.

    *given* is a traceparent and its tracestate. Texts of errors are not recorded: they may quote
    a config.
    """
    traceparent, tracestate = given
    if _TRACE is None or _FORMAT is None:
        yield Sending(None, traceparent, bounded(tracestate) if traceparent else None)
        return
    propagator = _FORMAT.TraceContextTextMapPropagator()
    # What is no text is refused by the job's own check, in better words.
    is_text = isinstance(traceparent, str)
    parent = propagator.extract(carrier_of(traceparent, tracestate)) if is_text else None
    with _TRACE.get_tracer("imbi_sdk").start_as_current_span(
        f"send {queue}",
        context=parent,
        kind=_TRACE.SpanKind.PRODUCER,
        attributes={**attributes("send", queue), **server, CONVERSATION: delivery},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        carrier: dict[str, str] = {}
        propagator.inject(carrier)
        try:
            if "traceparent" not in carrier:
                carrier = carrier_of(traceparent, tracestate)
            yield Sending(span, carrier.get("traceparent"), bounded(carrier.get("tracestate")))
        except Exception as error:
            span.set_attribute(ERROR_TYPE, type(error).__name__)
            span.set_status(_TRACE.StatusCode.ERROR)
            raise


class Sending:
    """A send under way. Jobs carry *traceparent* and *tracestate*; None without anybody's trace."""

    def __init__(self, span: Any, traceparent: str | None, tracestate: str | None) -> None:
        self._span = span
        self.traceparent = traceparent
        self.tracestate = tracestate

    def tell(self, told: Mapping[str, str | int]) -> None:
        """Add attributes to the span, if there is one."""
        if self._span is not None:
            self._span.set_attributes(dict(told))
