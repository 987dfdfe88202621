"""A log that nobody takes any more."""

import io

import pytest
import structlog

from imbi_sdk.attempt import Redactor
from imbi_worker.observability import configure_logs


class Broken(io.StringIO):
    """A pipe whose reader went away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
@pytest.mark.parametrize("stream", [Broken(), closed()], ids=["broken", "closed"])
def test_a_line_that_nobody_takes_stops_nothing(stream: io.StringIO, level: str) -> None:
    """The worker goes on: its jobs matter more than its log."""
    configure_logs(level="debug", style="json", redactor=Redactor(), stream=stream)
    getattr(structlog.get_logger("imbi_worker.test"), level)("said.to.nobody", number=1)


def test_a_line_that_is_taken_is_written_whole() -> None:
    stream = io.StringIO()
    configure_logs(level="debug", style="json", redactor=Redactor(), stream=stream)
    structlog.get_logger("imbi_worker.test").error("said")
    assert '"event":"said"' in stream.getvalue()
