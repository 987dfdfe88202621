"""Connections for batches: packed by hiredis, sent at once, never to a primary that is none.

redis-py 5.3 packs asynchronous commands in Python, 0.8 us an argument; a batch has
thousands of them. Its blocking client hands the same work to hiredis, and so do these.
It also gives the loop away two times before it sends: whatever is ready goes first then,
and that may be a hundred jobs.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import hiredis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    DefaultParser,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

_LARGE: Final = 1_048_576


class _Frugal(DefaultParser):  # type: ignore[misc, valid-type]  # redis-py picks it at import
    """Notes how large a reply was: hiredis keeps the room it took until the next one is read."""

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size)
        self._most = 0

    async def read_from_socket(self) -> Any:
        result = await super().read_from_socket()
        self._most = max(self._most, self._reader.len())
        return result

    def give_up_room(self, connection: AbstractConnection) -> None:
        """Read the next reply into a new reader, where a large one was read to its end."""
        if self._most > _LARGE and not self._reader.has_data():
            self.on_connect(connection)
            self._most = 0


class _Packing(AbstractConnection):
    def set_parser(self, parser_class: Any) -> None:  # noqa: ARG002 - redis-py's signature
        super().set_parser(_Frugal)

    def pack_command(self, *args: Any) -> list[bytes]:
        # "CLIENT SETINFO" and the like are two words in one argument.
        words = args[0].split() if isinstance(args[0], str) else [args[0]]
        return [hiredis.pack_command((*words, *args[1:]))]

    async def can_read_destructive(self) -> bool:
        """Whether the pool must not hand this connection out: closed, or an answer is left."""
        reader = self._reader
        return reader is None or reader.at_eof() or bool(reader._buffer)  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio has no other way to look

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's signature
    ) -> None:
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]  # redis-py's own
        elif check_health:
            await self.check_health()  # type: ignore[no-untyped-call]  # redis-py's own
        writer = self._writer
        if writer is None:
            raise RedisConnectionError("the connection was closed")
        if isinstance(command, str):
            command = command.encode()
        try:
            async with asyncio.timeout(self.socket_timeout):
                writer.writelines([command] if isinstance(command, bytes) else command)
                await writer.drain()
        except BaseException as error:
            # Half a command may be out: nothing more can be said on this connection.
            await self.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                raise RedisTimeoutError("Redis took no bytes within the time limit") from None
            if isinstance(error, OSError):
                raise RedisConnectionError(f"the connection broke: {error}") from None
            raise

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            response = await super().read_response(*args, **options)
        except ReadOnlyError:
            # A demoted primary keeps its connections; a new one finds the new primary.
            await self.disconnect(nowait=True)
            raise
        parser: Any = self._parser
        parser.give_up_room(self)
        return response


class _Plain(_Packing, Connection):
    pass


class _Tls(_Packing, SSLConnection):
    pass


class _Unix(_Packing, UnixDomainSocketConnection):
    pass


PACKING: Mapping[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _Plain,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}
