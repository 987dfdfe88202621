"""The calls of ``enqueue.lua``, each repeated under its nonce when its reply is lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from imbi_sdk.queue import keys
from imbi_sdk.queue.errors import QueueError, QueueUnavailable
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_sdk.queue.unreachable import AWAY, DEMOTED, leave_demoted, reason

_ENQUEUE = load_script("enqueue")
_PAUSES: Final = (0.05, 0.2, 0.5)
_STORED: Final = b""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: up to 1,000 jobs of a delivery.

    *jobs* is what stands behind the event among the script's arguments. With *has_row* an
    activity row stands there, too.
    """

    delivery: str
    nonce: str
    digest: str
    event: bytes = field(repr=False)
    jobs: Sequence[Any] = field(repr=False)
    has_row: bool = False


class _NotStoredError(QueueError):
    """The event was left out of a call, and Redis has it no longer."""


async def send_all(redis: Executes, queue: str, calls: Sequence[Call]) -> str:
    """The letters of all jobs of one delivery, in their order.

    Only the first call carries the event, as long as Redis keeps it for that one's jobs.

    :raises QueueUnavailable: Redis is away or full; calls before that one were carried out
    :raises QueueError: Redis refused
    """
    letters = ""
    for number, call in enumerate(calls):
        if number == 0:
            letters += await _send(redis, queue, call, call.event)
        else:
            letters += await _send_without_event(redis, queue, call)
    return letters


async def _send_without_event(redis: Executes, queue: str, call: Call) -> str:
    # A row may push out the oldest one of its project, and with that one the event, if it
    # is the same. Bytes that are sent are stored again then.
    if call.has_row:
        return await _send(redis, queue, call, call.event)
    try:
        return await _send(redis, queue, call, _STORED)
    except _NotStoredError:
        # The jobs of the calls before have ended, or were duplicates. Nothing was written.
        return await _send(redis, queue, call, call.event)


async def _send(redis: Executes, queue: str, call: Call, event: bytes) -> str:
    args = (keys.LAYOUT, call.delivery, call.nonce, call.digest, event, *call.jobs)
    for pause in (*_PAUSES, None):
        try:
            reply = await _ENQUEUE(redis, [queue], args)
            return reply.decode() if isinstance(reply, bytes) else str(reply)
        except (*AWAY, *DEMOTED) as error:
            if pause is None:
                raise QueueUnavailable(
                    f"Redis does not answer ({reason(error)})",
                    "answer the sender with a 5xx so that it delivers again, or repeat with the"
                    " same nonce",
                ) from None
            if isinstance(error, ReadOnlyError):
                await leave_demoted(redis)
            await asyncio.sleep(pause)
        except OutOfMemoryError:
            raise QueueUnavailable(
                "Redis is full (maxmemory) and takes no delivery",
                "answer the sender with a 5xx so that it delivers again, and give Redis more"
                " memory or add workers",
            ) from None
        except ResponseError as error:
            kind = _NotStoredError if str(error).startswith("EVENT ") else QueueError
            raise kind(f"Redis refused the delivery: {error}") from None
    raise AssertionError("unreachable")
