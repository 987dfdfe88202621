"""Streams that go on: server-sent events, so many at once and each for so long.

Each holds a connection to Redis. A client that goes on sends ``Last-Event-ID``, as
browsers do by themselves, and misses nothing.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from imbi_worker.dashboard.endpoint import Entries
from imbi_worker.dashboard.problems import Problem
from imbi_worker.operations.errors import OperationError
from imbi_worker.operations.json_form import plain

AT_ONCE: Final = 10
LONGEST: Final = timedelta(minutes=10)
_HEARTBEAT: Final = timedelta(seconds=15)
_CANCEL_AGAIN: Final = 0.1
_ID: Final = re.compile(r"\d{1,18}-\d{1,18}")


class Tails:
    """How many are open, of those that may be."""

    def __init__(self, *, at_once: int = AT_ONCE, longest: timedelta = LONGEST) -> None:
        self._at_once = at_once
        self._longest = longest
        self._open = 0

    def open(self, entries: Entries) -> StreamingResponse:
        """The response that streams *entries*, each with an ``id``.

        :raises Problem: so many are open already
        """
        if self._open >= self._at_once:
            told = f"{self._at_once} tails are open, and there may not be more."
            hint = "Close one, or ask for pages instead."
            raise Problem("too-many-tails", 429, told, hint, {"Retry-After": "10"})
        self._open += 1
        return _Tail(_events(entries, self._longest), self._closed)

    def _closed(self) -> None:
        self._open -= 1


class _Tail(StreamingResponse):
    """Tells when it has ended, also when it never began."""

    def __init__(self, events: AsyncGenerator[str, None], on_end: Callable[[], None]) -> None:
        # Proxies of nginx's family keep a stream back unless told not to.
        super().__init__(
            events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


async def _events(entries: Entries, longest: timedelta) -> AsyncGenerator[str, None]:
    try:
        async with asyncio.timeout(longest.total_seconds()):
            async with aclosing(_with_heartbeat(entries)) as lines:
                # At once, so that the client knows that it is connected.
                yield "retry: 2000\n\n"
                async for line in lines:
                    yield line
    except TimeoutError:
        yield ": goes on with a new request\n\n"
    except OperationError as error:
        yield f"event: problem\ndata: {json.dumps({'detail': error.message})}\n\n"


async def _with_heartbeat(entries: Entries) -> AsyncGenerator[str, None]:
    """Each entry as an event, and a comment in long silences: proxies cut what is still."""
    coming = asyncio.ensure_future(anext(entries, None))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=_HEARTBEAT.total_seconds())
            if not done:
                yield ": still here\n\n"
                continue
            found = coming.result()
            if found is None:
                return
            place, value = found
            yield f"id: {place}\ndata: {json.dumps(plain(value))}\n\n"
            coming = asyncio.ensure_future(anext(entries, None))
    finally:
        # redis-py 5.3 on Python 3.11 can lose a cancel, and would wait on for ever.
        while not coming.done():
            coming.cancel()
            await asyncio.wait({coming}, timeout=_CANCEL_AGAIN)
        await entries.aclose()


def place_of(last_event_id: str | None) -> str | None:
    """Where to go on; None with what comes from now on.

    :raises Problem: it is the id of no event
    """
    if not last_event_id:
        return None
    if not _ID.fullmatch(last_event_id):
        raise Problem("invalid-input", 400, "Last-Event-ID is the id of no event.")
    return last_event_id
