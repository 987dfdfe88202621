"""The two hooks a stock arq client needs to speak with this queue.

    create_pool(settings, default_queue_name="imbi:queue",
                job_serializer=arq_serializer, job_deserializer=arq_deserializer)

A failed job's result revives as :class:`ActionFailed`, a cancelled one's as
``asyncio.CancelledError``, which is what arq's ``Job.abort()`` waits for.
"""

import asyncio
from typing import Any

from imbi_sdk.queue.json_text import dump, load

CANCELLED = "cancelled"


class ActionFailed(Exception):  # noqa: N818 - the name stands in design and docs
    """A job ended as a dead letter; the text is its reason and last error, redacted."""


def arq_serializer(value: dict[str, Any]) -> bytes:
    """Arq's ``job_serializer``: JSON; an exception as result becomes its text."""
    result = value.get("r")
    if isinstance(result, asyncio.CancelledError):
        value = {**value, "r": CANCELLED}
    elif isinstance(result, BaseException):
        value = {**value, "r": f"{type(result).__name__}: {result}"}
    return dump(value)


def arq_deserializer(body: bytes) -> dict[str, Any]:
    """Arq's ``job_deserializer``, for bodies and results."""
    value = load(body)
    if value.get("s") is False:
        text = value.get("r")
        value["r"] = asyncio.CancelledError() if text == CANCELLED else ActionFailed(text)
    return value
