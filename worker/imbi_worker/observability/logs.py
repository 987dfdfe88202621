"""Logs: structlog, JSON where nobody watches, everything of stdlib logging bridged in.

The redactor comes last, so no line leaves the process with a credential in it,
whoever wrote it: our code, arq, the drivers or a plugin.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

from imbi_sdk.attempt.redaction import Redactor

# arq 0.28 logs the arguments of jobs at INFO; httpx and aiohttp log addresses.
_QUIET = ("arq", "neo4j", "aiohttp.access", "httpx", "httpcore")


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
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redacting(redactor),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _redacting(redactor: Redactor) -> Processor:
    def redact(
        logger: Any,  # noqa: ARG001 - structlog's signature
        method: str,  # noqa: ARG001 - structlog's signature
        event: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = redactor.text(value)
            elif isinstance(value, list | tuple | dict):
                event[key] = redactor.text(repr(value))
        return event

    return redact
