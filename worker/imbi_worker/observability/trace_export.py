"""Where spans go: OpenTelemetry's own variables (``OTEL_*``) say so, the extra ``otel`` does it.

Without them, or without the extra, there is no provider and a span costs nothing.
"""

import sys
import threading
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import structlog
from opentelemetry import trace

from imbi_sdk.attempt import Redactor

_LOG = structlog.get_logger("imbi_worker.observability")
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVICE: Final = "imbi-worker"
# What a collector that does not answer may add to the worker's end.
_LAST_SPANS_SECONDS: Final = 2.0


class TraceExport:
    """Spans on their way out of the process."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    @property
    def tracer(self) -> trace.Tracer:
        tracer: trace.Tracer = self._provider.get_tracer("imbi_worker", version("imbi-worker"))
        return tracer

    def close(self) -> None:
        """Send what is left, for two seconds at most."""
        end = threading.Thread(target=self._provider.shutdown, name="imbi-spans", daemon=True)
        end.start()
        end.join(_LAST_SPANS_SECONDS)


def open_trace_export(environment: Mapping[str, str], redactor: Redactor) -> TraceExport | None:
    """What *environment* asks for, set up for the whole process; None when it asks for nothing.

    *redactor* masks whatever is traced, also by a plugin's own libraries.
    """
    exporter = _exporter(environment)
    if exporter == "none":
        return None
    try:
        provider = _provider(exporter, redactor)
    except ImportError:
        _LOG.warning("traces.off", hint="install what sends them: pip install 'imbi-worker[otel]'")
        return None
    # Process-wide, so that what a plugin's own libraries trace lies within its attempt.
    trace.set_tracer_provider(provider)
    _LOG.info("traces.on", exporter=exporter)
    return TraceExport(provider)


def _exporter(environment: Mapping[str, str]) -> str:
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return "none"
    has_endpoint = any(environment.get(name) for name in _ENDPOINTS)
    chosen = environment.get("OTEL_TRACES_EXPORTER") or ("otlp" if has_endpoint else "none")
    if chosen not in {"otlp", "console", "none"}:
        _LOG.warning("traces.off", hint="OTEL_TRACES_EXPORTER must be otlp, console or none")
        return "none"
    return chosen


def _provider(exporter: str, redactor: Redactor) -> Any:
    # Here, because they come with an extra that most workers do without.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - an extra
        BatchSpanProcessor,
        ConsoleSpanExporter,
    )

    from imbi_worker.observability.span_redaction import (  # noqa: PLC0415 - needs the extra
        RedactingProcessor,
    )

    resource = Resource.create({"service.version": version("imbi-worker")})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        # Neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES names it.
        resource = resource.merge(Resource({"service.name": _SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # Past what makes log lines of prints: to the real stdout, where no log line goes.
    out = sys.__stdout__ or sys.stdout
    sender = (
        OTLPSpanExporter()
        if exporter == "otlp"
        else ConsoleSpanExporter(out=out, formatter=_one_line)
    )
    provider.add_span_processor(RedactingProcessor(BatchSpanProcessor(sender), redactor))
    return provider


def _one_line(span: Any) -> str:
    return f"{span.to_json(indent=None)}\n"
