"""The HTTP connections that everything in a worker shares."""

import asyncio
from datetime import timedelta
from typing import Final

import aiohttp

PHASE: Final = timedelta(seconds=5)
# For who sends a byte a second, and so never lets a phase end.
WHOLE: Final = timedelta(seconds=30)
POOL_SIZE: Final = 100
# Below the 5 s after which uvicorn drops an idle connection: a PATCH that meets
# the drop half-way is not repeated by aiohttp and would cost its job an attempt.
LONGEST_IDLE: Final = timedelta(seconds=3)


class Sessions:
    """One `aiohttp.ClientSession` per event loop, opened at its first use.

    The plugin contract calls actions as plain functions, with nowhere to hand in
    a session, and a session works only in the loop it was opened in: so it is
    looked up by the running loop. A ``WeakKeyDictionary`` would forget nothing
    here, since each session holds its loop; sessions of closed loops are dropped
    at the next use instead, and ``close`` is what ends a session properly.

    *phase* bounds each of: a free connection, the handshake, every wait for data;
    *whole* bounds a request with its answer.
    """

    def __init__(self, *, phase: timedelta = PHASE, whole: timedelta = WHOLE) -> None:
        self.phase = phase
        self.whole = whole
        self._by_loop: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    def current(self) -> aiohttp.ClientSession:
        """The session of the running loop, opened if there is none."""
        loop = asyncio.get_running_loop()
        session = self._by_loop.get(loop)
        if session is None or session.closed:
            self._forget_closed_loops()
            session = self._by_loop[loop] = _open_session()
        return session

    def timeout(self, within: timedelta | None = None) -> aiohttp.ClientTimeout:
        """The limits of one request; *within* takes the place of both for the answer's sake."""
        seconds = self.phase.total_seconds()
        return aiohttp.ClientTimeout(
            total=(within or self.whole).total_seconds(),
            connect=seconds,
            sock_connect=seconds,
            sock_read=(within or self.phase).total_seconds(),
        )

    async def close(self) -> None:
        """Close the running loop's session. Idempotent; a later use opens a new one."""
        session = self._by_loop.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._by_loop if loop.is_closed()]:
            del self._by_loop[loop]


def _open_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=POOL_SIZE, keepalive_timeout=LONGEST_IDLE.total_seconds()
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "imbi-worker"},
    )
