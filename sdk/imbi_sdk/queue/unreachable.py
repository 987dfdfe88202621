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
# A failover is under way: another server may be asked in a moment.
DEMOTED: Final[tuple[type[Exception], ...]] = (ReadOnlyError, MasterDownError, ClusterDownError)


def reason(error: BaseException, *, ca_setting: str = "ssl_ca_certs of the client") -> str:
    """What the system, TLS or Redis says is wrong, or the kind of *error*; never a secret."""
    failure = tls_failure(error)
    if failure is not None:
        return f"{tls_text(failure)}; {tls_remedy(failure, ca_setting=ca_setting)}"
    for one in behind(error):
        if isinstance(one, AuthenticationError):
            return f"it refuses the login: {one}"
        if isinstance(one, socket.gaierror):
            return "no such host"
        if isinstance(one, OSError) and one.errno is not None and one.errno in errno.errorcode:
            return os.strerror(one.errno).lower()
        if isinstance(one, RedisTimeoutError | TimeoutError):
            return "no reply in time"
    return type(error).__name__


async def leave_demoted(client: object) -> None:
    """Close what lies idle in a client's pool: a demoted primary keeps its connections.

    A new one finds the new primary.
    """
    pool: Any = getattr(client, "connection_pool", None)
    if pool is not None:
        await pool.disconnect(inuse_connections=False)
