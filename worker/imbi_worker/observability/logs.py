"""Logs: structlog, JSON where nobody watches, everything of stdlib logging bridged in.

What an action logs names its job, and is kept with the attempt.

The redactor comes last, so no line leaves the process with a credential in it,
whoever wrote it: our code, arq, the drivers or a plugin.
"""

import logging
import sys
from contextlib import suppress
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

from imbi_sdk.attempt.redaction import Redactor
from imbi_worker.observability import log_fields

# arq 0.28 logs the arguments of jobs at INFO; httpx and aiohttp log addresses, and
# cel-python 0.5 every value of an event that it looks at, at DEBUG.
_QUIET = ("arq", "celpy", "neo4j", "aiohttp.access", "httpx", "httpcore")
_MOST_LOGGERS = 1_000


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
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        log_fields.redacting(redactor),
        log_fields.keeping,
        log_fields.naming_the_job,
        log_fields.naming_the_service,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=log_fields.as_json)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=_NamedLoggers(out),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        cache_logger_on_first_use=False,
    )
    _bridge(shared, renderer, out, least)


def _bridge(shared: list[Processor], renderer: Processor, out: TextIO, least: int) -> None:
    """What arq, the drivers and plugins write through stdlib logging, in the same form."""
    handler = _Bridge(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[log_fields.with_extra, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(least)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))


class _NamedLogger(structlog.WriteLogger):
    """Its lines say who wrote them, as those of stdlib loggers do."""

    def __init__(self, out: TextIO, name: str) -> None:
        super().__init__(out)
        self.name = name

    def msg(self, message: str) -> None:
        """A log that nobody takes any more, closed or broken, must not stop the work."""
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


class _NamedLoggers:
    """Makes the loggers of `structlog.get_logger(name)`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._made: dict[str, _NamedLogger] = {}

    def __call__(self, *names: str) -> _NamedLogger:
        name = names[0] if names else ""
        # Asked for each line; a plugin may make up names without end.
        if name not in self._made and len(self._made) < _MOST_LOGGERS:
            self._made[name] = _NamedLogger(self._out, name)
        return self._made.get(name) or _NamedLogger(self._out, name)


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
