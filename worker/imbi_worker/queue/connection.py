"""Clients for the one Redis a worker talks to.

arq's ``RedisSettings`` (0.28) drops URL options, keeps escapes in passwords, prints
the password and knows no socket timeout; so the pool is built here. What works jobs off
hands it to arq (``arq_pool``); what only looks does not wait for arq to load.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import redis as blocking
from pydantic import SecretStr
from redis import asyncio as aioredis
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from imbi_sdk.connecting import behind
from imbi_worker.queue.errors import RedisAddressError
from imbi_worker.queue.packing import PACKING

_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
# Replies that pass: a failover, a restart that still loads, a Redis that is full.
# redis-py 5.3 makes classes of some, whose texts no longer begin with the code.
_PASSING = (ReadOnlyError, OutOfMemoryError, MasterDownError, ClusterDownError)
# What is refused inside a script has no code: the texts of Redis 7.2 and Valkey, and of Redis 7.0.
_FORBIDDEN = ("ACL failure in script", "The user executing the script can't")
_PASSING_CODES = ("BUSY", "NOREPLICAS", "MISCONF")


def with_certificates(
    url: SecretStr,
    *,
    ca_file: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
) -> SecretStr:
    """*url* with the authorities to believe, in place of the system's, and our own certificate.

    :raises RedisAddressError: a file cannot be used, or the address is not encrypted
    """
    # Without a key redis-py 5.3 shows no certificate, even where both stand in one file.
    key_file = key_file or cert_file
    files = {"ssl_ca_certs": ca_file, "ssl_certfile": cert_file, "ssl_keyfile": key_file}
    given = {name: str(path) for name, path in files.items() if path is not None}
    if not given:
        return url
    text = url.get_secret_value()
    if text.partition("://")[0] not in {"rediss", "valkeys"}:
        raise RedisAddressError("certificates are given, but the address of Redis is not rediss://")
    # redis-py 5.3 takes escapes out of an option twice.
    options = "&".join(f"{name}={quote(quote(path))}" for name, path in given.items())
    return SecretStr(f"{text}{'&' if '?' in text else '?'}{options}")


def open_client(url: SecretStr) -> aioredis.Redis:
    """A client for *url*; it connects when it is used, and owns its pool."""
    return aioredis.Redis.from_pool(open_pool(url))


def open_pool(url: SecretStr) -> aioredis.ConnectionPool:
    """Connections to *url*: ``redis``, ``rediss``, ``unix``, ``valkey`` or ``valkeys``."""
    text, options = _options(url)
    try:
        pool = aioredis.ConnectionPool.from_url(text, **options)
    except ValueError:
        # The error may quote what stands before a "/" or "#": a piece of the password.
        raise RedisAddressError(
            "the Redis address cannot be read: look at its port and its options, and write %2F for"
            " a / in the password, %23 for #, %40 for @, %3F for ?"
        ) from None
    _check_certificates(pool.connection_kwargs)
    pool.connection_class = PACKING[pool.connection_class]
    return pool


def connect_blocking(url: SecretStr) -> blocking.Redis:
    """A client for the watchdog thread, with one connection of its own."""
    text, options = _options(url)
    return blocking.Redis.from_url(
        text, single_connection_client=False, max_connections=1, **options
    )


def in_database(url: SecretStr, number: int) -> SecretStr:
    """The same Redis, another of its databases."""
    address, _, query = url.get_secret_value().partition("?")
    others = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "db"]
    # It stands above a number in the path, and the path of a Unix socket is its file.
    return SecretStr(f"{address}?{urlencode([*others, ('db', str(number))])}")


def is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed later: Redis is away, full, loading or demoted."""
    if is_login_refused(error):
        return False
    if isinstance(error, (RedisConnectionError, RedisTimeoutError, OSError, *_PASSING)):
        return True
    return isinstance(error, ResponseError) and str(error).startswith(_PASSING_CODES)


def is_login_refused(error: BaseException) -> bool:
    """Whether user or password are wrong: no outage, though redis-py 5.3 makes it look like one."""
    return any(isinstance(one, AuthenticationError) for one in behind(error))


def is_forbidden(error: BaseException) -> bool:
    """Whether Redis knows our user, and does not allow it this call."""
    if isinstance(error, NoPermissionError):
        return True
    return isinstance(error, ResponseError) and str(error).startswith(_FORBIDDEN)


def _check_certificates(options: Mapping[str, Any]) -> None:
    """A file that is wrong would look like an outage, at each try."""
    # Not create_default_context(): that reads the system's authorities, which takes 20 ms.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for names, load in (
        (("ssl_ca_certs",), context.load_verify_locations),
        (("ssl_certfile", "ssl_keyfile"), context.load_cert_chain),
    ):
        paths = [options[name] for name in names if options.get(name)]
        if not paths:
            continue
        try:
            load(*paths)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror or "it holds none"
            raise RedisAddressError(
                f"the certificates in {' and '.join(paths)} cannot be used: {reason}"
            ) from None


def _options(url: SecretStr) -> tuple[str, dict[str, Any]]:
    text = url.get_secret_value()
    scheme, separator, rest = text.partition("://")
    scheme = _SCHEMES.get(scheme, scheme)
    if not separator or scheme not in {"redis", "rediss", "unix"}:
        raise RedisAddressError(
            "the Redis address must begin with redis://, rediss://, unix://, valkey:// or"
            " valkeys://: look at REDIS_URL"
        )
    options: dict[str, Any] = {"socket_connect_timeout": 3.0, "socket_timeout": 5.0}
    if scheme != "unix":
        options["socket_keepalive"] = True
    if scheme == "rediss" and "ssl_check_hostname" not in rest:
        options["ssl_check_hostname"] = True
    return f"{scheme}://{rest}", options
