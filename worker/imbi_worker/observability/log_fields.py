"""What stands on a log line, step by step: structlog's processors of ours.

The redactor has seen whatever is written, and before a line is kept with its attempt.
"""

import json
import logging
import time
from collections.abc import Mapping, MutableMapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from pydantic_core import to_json
from structlog.typing import Processor

from imbi_sdk.attempt.redaction import Redactor
from imbi_worker.queue.kept_lines import LINES
from imbi_worker.queue.telling import END_FIELDS, EVENTS, JOB_FIELDS, STARTED

# What structlog passes along for its own use, and takes off before a line is written.
_META = frozenset({"_record", "_from_structlog"})
# Filled in here, whoever writes the line; everything else passes the redactor.
_OURS = _META | {"timestamp", "level", "logger"}
_OUR_NAMES = frozenset({"event", "exception", *END_FIELDS})
_TAKEN = _META | {"event", "timestamp", "level", "logger", "service", "version", "exception"}
_TAKEN |= {"exc_info", "stack_info", "stack"}
_OF_EVERY_RECORD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
_LONGEST_NAME = 100
_NO_JOB: Mapping[str, Any] = MappingProxyType({})
_OUR_EVENTS = frozenset({*EVENTS.values(), STARTED})
# What a line of an attempt's good end has.
_WITHOUT_TEXTS = frozenset({"event", "timestamp", "level", "logger", "outcome", "duration_ms"})
# Texts that every attempt has, which are worth no search.
_OUR_WORDS = _OUR_EVENTS | {*EVENTS}
_NOT_SHOWN = _META | {"event", "timestamp", "level", "logger"}
_SERVICE = "imbi-worker"
_VERSION = version(_SERVICE)
# Lines of the machinery around an action are not its own.
_OUR_LOGGERS = "imbi_worker"
_MACHINERY = tuple(
    f"imbi_worker.{room}" for room in ("queue", "dispatch", "graph", "observability")
)


def as_json(line: MutableMapping[str, Any], **_: Any) -> str:
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


def naming_the_job(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method: str,  # noqa: ARG001 - structlog's signature
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """The job's own names, which are no secrets, come after the redactor: it costs 5 us a field."""
    fields = JOB_FIELDS.get(_NO_JOB)
    for name in event.keys() & fields.keys():
        if event[name] != fields[name]:
            # A plugin's own word for something else.
            event[f"extra_{name}"] = event[name]
    event.update(fields)
    return event


def naming_the_service(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method: str,  # noqa: ARG001 - structlog's signature
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    event["service"], event["version"] = _SERVICE, _VERSION
    return event


def keeping(
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


def redacting(redactor: Redactor) -> Processor:
    """Masks names and values of what the line has so far."""

    def redact(
        logger: Any,  # noqa: ARG001 - structlog's signature
        method: str,  # noqa: ARG001 - structlog's signature
        event: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        is_ours = str(event.get("logger", "")).startswith(_OUR_LOGGERS)
        if is_ours and event["event"] in _OUR_EVENTS and event.keys() <= _WITHOUT_TEXTS:
            # A success, say: there is nothing in it but our own words and numbers.
            return event
        for name, value in tuple(event.items()):
            # A hint of ours names settings, which look like a secret's name.
            if name in _OURS or (is_ours and name == "hint"):
                continue
            shown = name
            if name not in _OUR_NAMES:
                # It may be anybody's text, too.
                shown = redactor.text(str(name), limit=_LONGEST_NAME)
            if shown != name:
                del event[name]
            event[shown] = _masked(name, value, redactor)
        return event

    return redact


def _masked(name: str, value: Any, redactor: Redactor) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return redactor.text(_shown(value))
    if value in _OUR_WORDS:
        return value
    # Of a traceback the end says most.
    return redactor.trace(value) if name == "exception" else redactor.text(value)


def with_extra(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method: str,  # noqa: ARG001 - structlog's signature
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """What a stdlib logger was given as ``extra`` are fields, under no name that is taken."""
    record: logging.LogRecord = event["_record"]
    given = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
    for name, value in given.items():
        event[f"extra_{name}" if name in _TAKEN else name] = value
    return event
