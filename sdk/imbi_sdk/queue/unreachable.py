"""A Redis that does not answer: which errors say so, and why, for the text of ours."""

import errno
import os
import socket
from typing import Any, Final

from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    MasterDownError,
    ReadOnlyError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from imbi_sdk.connecting import behind, tls_failure, tls_remedy, tls_text

# Nobody knows then whether a call was carried out.
AWAY: Final[tuple[type[Exception], ...]] = (RedisConnectionError, RedisTimeoutError, OSError)
# redis-py 5.3, of a server that ends or is restarted.
_CLOSED: Final = "Connection closed by server."
# A failover is under way: another server may be asked in a moment.
DEMOTED: Final[tuple[type[Exception], ...]] = (ReadOnlyError, MasterDownError, ClusterDownError)


def reason(error: BaseException, *, ca_setting: str = "ssl_ca_certs of the client") -> str:
    """What the system, TLS or Redis says is wrong, or the kind of *error*; never a secret."""
    failure = tls_failure(error)
    if failure is not None:
        return f"{tls_text(failure)}; {tls_remedy(failure, ca_setting=ca_setting)}"
    known = (_word_for(one) for one in behind(error))
    return next(filter(None, known), type(error).__name__)


def _word_for(error: BaseException) -> str | None:
    match error:
        case AuthenticationError():
            return f"it refuses the login: {error}"
        case socket.gaierror():
            return "no such host"
        case OSError(errno=int(number)) if number in errno.errorcode:
            return os.strerror(number).lower()
        case RedisTimeoutError() | TimeoutError():
            return "no reply in time"
        case _:
            return "it closed the connection" if str(error) == _CLOSED else None


async def leave_demoted(client: object) -> None:
    """Close what lies idle in a client's pool: a demoted primary keeps its connections.

    A new one finds the new primary.
    """
    pool: Any = getattr(client, "connection_pool", None)
    if pool is not None:
        await pool.disconnect(inuse_connections=False)
