"""Connections that let hiredis pack commands, and that leave a primary that is none any more.

redis-py 5.3 packs asynchronous commands in Python, 0.8 us an argument; a batch has
thousands of them. Its blocking client hands the same work to hiredis, and so do these.
"""

from collections.abc import Mapping
from typing import Any

import hiredis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import ReadOnlyError


class _Packing(AbstractConnection):
    def pack_command(self, *args: Any) -> list[bytes]:
        # "CLIENT SETINFO" and the like are two words in one argument.
        words = args[0].split() if isinstance(args[0], str) else [args[0]]
        return [hiredis.pack_command((*words, *args[1:]))]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError:
            # A demoted primary keeps its connections; a new one finds the new primary.
            await self.disconnect(nowait=True)
            raise


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
