"""A small HTTP listener for scrapers and probes: GET and HEAD, one answer a connection.

aiohttp's server would cost every worker 11 MB for three pages.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import structlog

_LOG = structlog.get_logger("imbi_worker.observability")
_HEAD_BYTES: Final = 16 * 1024
# For who connects and says nothing, or reads nothing.
_PATIENCE_SECONDS: Final = 5.0
_BACKLOG: Final = 256
_PLAIN: Final = "text/plain; charset=utf-8"


class ListenError(Exception):
    """The address cannot be listened at; says what to set."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page answers."""

    body: bytes
    content_type: str = _PLAIN
    status: HTTPStatus = HTTPStatus.OK


# Given the Accept header of the request.
Page: TypeAlias = Callable[[str], Awaitable[Answer]]


def listen_at(host: str, port: int, *, setting: str = "IMBI_WORKER_METRICS_PORT") -> socket.socket:
    """A socket that listens there; port 0 takes any that is free, *setting* says which.

    :raises ListenError: it is in use, or no address of this machine
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # Both families where every address is meant.
        return socket.create_server(
            (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::"
        )
    except (OSError, ValueError) as error:
        reason = str(error.strerror if isinstance(error, OSError) else error).partition(" (")[0]
        raise ListenError(
            f"{setting}: cannot listen at {host}:{port}: {reason}; set another"
            " port (0 takes a free one), or IMBI_WORKER_METRICS_HOST"
        ) from None


class Listener:
    """Serves *pages* by their paths."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages

    async def serve(self, sock: socket.socket) -> asyncio.Server:
        """Serve on *sock* until the server is closed."""
        return await asyncio.start_server(self._connected, sock=sock, limit=_HEAD_BYTES)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            method, answer = await self._answer(head)
            writer.write(_written(answer, has_body=method != "HEAD"))
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            # Gone, too slow or too long: nobody is there to be told.
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> tuple[str, Answer]:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in {"GET", "HEAD"}:
            return method, _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        page = self._pages.get(path)
        if page is None:
            return method, _refusal(HTTPStatus.NOT_FOUND, *sorted(self._pages))
        try:
            return method, await page(_accepted(lines))
        except Exception as error:  # noqa: BLE001 - one page that fails must not end the listener
            _LOG.warning("page.failed", path=path, error=type(error).__name__)
            return method, _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


def _accepted(lines: list[str]) -> str:
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() == "accept":
            return value.strip()
    return ""


def _refusal(status: HTTPStatus, *known: str) -> Answer:
    hint = f": try {', '.join(known)}" if known else ""
    return Answer(f"{status.phrase}{hint}\n".encode(), status=status)


def _written(answer: Answer, *, has_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (answer.body if has_body else b"")
