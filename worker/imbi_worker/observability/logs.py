"""Logs: structlog, JSON where nobody watches, everything of stdlib logging bridged in.

The redactor comes last, so no line leaves the process with a credential in it,
whoever wrote it: our code, arq, the drivers or a plugin.
"""

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import Processor

from imbi_sdk.attempt.redaction import Redactor
from imbi_worker.queue.telling import EVENTS, JOB_FIELDS

# arq 0.28 logs the arguments of jobs at INFO; httpx and aiohttp log addresses, and
# cel-python 0.5 every value of an event that it looks at, at DEBUG.
_QUIET = ("arq", "celpy", "neo4j", "aiohttp.access", "httpx", "httpcore")
# Fields the worker fills with words of its own; everything else passes the redactor.
_OURS = frozenset({"timestamp", "level", "logger", "hint"})
_OUR_EVENTS = frozenset(EVENTS.values())


def configure_logs(
    *,
    level: str,
    style: Literal["auto", "json", "text"],
    redactor: Redactor,
    stream: TextIO | None = None,
) -> None:
    """Send every log line of the process to *stream* (stderr), one line each."""
    out = stream or sys.stderr
    as_json = style == "json" or (style == "auto" and not out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redacting(redactor),
        _naming_the_job,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=_as_json)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.WriteLoggerFactory(out),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        cache_logger_on_first_use=False,
    )
    _bridge(shared, renderer, out, least)


def _bridge(shared: list[Processor], renderer: Processor, out: TextIO, least: int) -> None:
    """What arq, the drivers and plugins write through stdlib logging, in the same form."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(least)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))


def _as_json(line: MutableMapping[str, Any], **_: Any) -> str:
    try:
        return to_json(line, fallback=repr).decode()
    except ValueError:
        # A lone surrogate: a path or a header that somebody else wrote.
        return json.dumps(line, default=repr)


def _naming_the_job(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method: str,  # noqa: ARG001 - structlog's signature
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """The job's own names, which are no secrets, come after the redactor: it costs 5 us a field."""
    for name, value in JOB_FIELDS.get({}).items():
        event.setdefault(name, value)
    return event


def _redacting(redactor: Redactor) -> Processor:
    def redact(
        logger: Any,  # noqa: ARG001 - structlog's signature
        method: str,  # noqa: ARG001 - structlog's signature
        event: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if key in _OURS or value is None or isinstance(value, int | float):
                continue
            if key == "event" and value in _OUR_EVENTS:
                continue
            event[key] = redactor.text(value if isinstance(value, str) else repr(value))
        return event

    return redact
