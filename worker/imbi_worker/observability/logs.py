"""Logs: structlog, JSON where nobody watches, everything of stdlib logging bridged in.

What an action logs names its job, and is kept with the attempt.

The redactor comes last, so no line leaves the process with a credential in it,
whoever wrote it: our code, arq, the drivers or a plugin.
"""

import json
import logging
import sys
import time
from collections.abc import MutableMapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Literal, TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import Processor

from imbi_sdk.attempt.redaction import Redactor
from imbi_worker.queue.kept_lines import LINES
from imbi_worker.queue.telling import EVENTS, JOB_FIELDS, STARTED

# arq 0.28 logs the arguments of jobs at INFO; httpx and aiohttp log addresses, and
# cel-python 0.5 every value of an event that it looks at, at DEBUG.
_QUIET = ("arq", "celpy", "neo4j", "aiohttp.access", "httpx", "httpcore")
# Fields the worker fills with words of its own; everything else passes the redactor.
# What structlog passes along for its own use, and takes off before a line is written.
_META = frozenset({"_record", "_from_structlog"})
_OURS = _META | {"timestamp", "level", "logger", "hint", "outcome", "next_retry_at"}
_OUR_EVENTS = frozenset({*EVENTS.values(), STARTED})
_NOT_SHOWN = _META | {"event", "timestamp", "level", "logger"}
_SERVICE = "imbi-worker"
_VERSION = version(_SERVICE)
# Lines of the machinery around an action are not its own.
_MACHINERY = ("imbi_worker.queue", "imbi_worker.dispatch", "imbi_worker.graph")


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
        _keeping,
        _naming_the_job,
        _naming_the_service,
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
    handler = _Bridge(out)
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


class _Bridge(logging.StreamHandler[TextIO]):
    """Says which line could not be written, and by whom, but never with its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if isinstance(sys.exc_info()[1], OSError):
            # Nobody reads the log any more.
            return
        place = f"{record.pathname}:{record.lineno}"
        unreadable = logging.LogRecord(
            record.name, record.levelno, record.pathname, record.lineno, "", None, None
        )
        unreadable.msg = f"log.unreadable: the message and its arguments do not fit, at {place}"
        with suppress(Exception):
            self.stream.write(self.format(unreadable) + self.terminator)
            self.flush()


def _as_json(line: MutableMapping[str, Any], **_: Any) -> str:
    try:
        return to_json(line, fallback=_shown, inf_nan_mode="strings").decode()
    except ValueError:
        # A lone surrogate: a path or a header that somebody else wrote.
        return json.dumps(line, default=_shown)


def _shown(value: object) -> str:
    """Any object as text, even one whose own representation fails."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a plugin's object may do anything here
        return f"<{type(value).__name__} without a repr: {type(error).__name__}>"


def _naming_the_job(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method: str,  # noqa: ARG001 - structlog's signature
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """The job's own names, which are no secrets, come after the redactor: it costs 5 us a field."""
    for name, value in JOB_FIELDS.get({}).items():
        event.setdefault(name, value)
    return event


def _naming_the_service(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method: str,  # noqa: ARG001 - structlog's signature
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    event["service"], event["version"] = _SERVICE, _VERSION
    return event


def _keeping(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method: str,  # noqa: ARG001 - structlog's signature
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Keeps a line of an action with its attempt; the redactor has seen it."""
    lines = LINES.get(None)
    text = event.get("event")
    if lines is None or text in _OUR_EVENTS:
        return event
    logger_name = str(event.get("logger", ""))
    if not logger_name.startswith(_MACHINERY):
        more = [f"{name}={event[name]}" for name in event if name not in _NOT_SHOWN]
        words = " ".join([str(text), *more])
        lines.add(int(time.time() * 1000), str(event.get("level", "")), logger_name, words)
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
            event[key] = redactor.text(value if isinstance(value, str) else _shown(value))
        return event

    return redact
