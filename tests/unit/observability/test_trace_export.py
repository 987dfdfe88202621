"""Where spans go: only where somebody says so."""

import io
import json
import sys
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.util._once import Once

from imbi_sdk.attempt import Redactor
from imbi_worker.observability.trace_export import open_trace_export

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def _own_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A provider can be set once in a process; here once for each test."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    return iter([None])


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", **ENDPOINT},
        {"OTEL_SDK_DISABLED": "true", **ENDPOINT},
        {"OTEL_TRACES_EXPORTER": "zipkin"},
    ],
)
def test_nothing_is_set_up_that_was_not_asked_for(environment: dict[str, str]) -> None:
    """Nor what we cannot do: it is told in the log."""
    assert open_trace_export(environment, Redactor()) is None
    assert trace._TRACER_PROVIDER is None


@pytest.mark.parametrize("environment", [ENDPOINT, {"OTEL_TRACES_EXPORTER": "console"}])
def test_what_is_asked_for_is_the_whole_process_own(environment: dict[str, str]) -> None:
    """So that what a plugin's libraries trace lies within its attempt."""
    export = open_trace_export(environment, Redactor())
    assert export is not None
    span = trace.get_tracer("a plugin's library").start_span("x")
    assert span.is_recording()
    export.close()


def test_a_console_gets_each_span_as_a_line_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the real stdout: a worker makes log lines of what is printed."""
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "__stdout__", stdout)
    export = open_trace_export({"OTEL_TRACES_EXPORTER": "console"}, Redactor())
    assert export is not None
    for name in ("one", "two"):
        export.tracer.start_span(name).end()
    export.close()
    assert [json.loads(line)["name"] for line in stdout.getvalue().splitlines()] == ["one", "two"]
    assert '"name"' not in capsys.readouterr().out


def test_a_worker_has_a_name_unless_it_is_given_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SERVICE_NAME stands above ours."""
    for given, expected in ((None, "imbi-worker"), ("ours", "ours")):
        if given:
            monkeypatch.setenv("OTEL_SERVICE_NAME", given)
        export = open_trace_export({"OTEL_TRACES_EXPORTER": "console"}, Redactor())
        assert export is not None
        attributes = export._provider.resource.attributes
        assert attributes["service.name"] == expected
        assert attributes["service.version"]
        export.close()
        monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())


def test_without_the_extra_a_worker_runs_untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert open_trace_export(ENDPOINT, Redactor()) is None
