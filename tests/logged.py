"""The worker's log, as a worker writes it, for the length of a block."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from imbi_sdk.attempt import Redactor
from imbi_worker.observability import configure_logs


@contextmanager
def logging_restored() -> Iterator[None]:
    """Whatever the block makes of logging, it is as before at the end."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@contextmanager
def json_log(*secrets: str) -> Iterator[io.StringIO]:
    """One JSON object a line, with *secrets* masked."""
    out, redactor = io.StringIO(), Redactor()
    redactor.register(secrets)
    with logging_restored():
        configure_logs(level="info", style="json", redactor=redactor, stream=out)
        yield out
