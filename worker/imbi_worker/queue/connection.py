"""Clients for the one Redis a worker talks to.

arq's ``RedisSettings`` (0.28) drops URL options, keeps escapes in passwords, prints
the password and knows no socket timeout; so the pool is built here and handed to arq.
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import redis as blocking
from arq.connections import ArqRedis
from pydantic import SecretStr
from redis import asyncio as aioredis
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from imbi_sdk.queue import arq_deserializer, arq_serializer
from imbi_worker.queue.packing import PACKING

_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
# Replies that pass: a failover, a restart that still loads, a Redis that is full.
# redis-py 5.3 makes classes of some, whose texts no longer begin with the code.
_PASSING = (ReadOnlyError, OutOfMemoryError, MasterDownError, ClusterDownError)
_PASSING_CODES = ("BUSY", "NOREPLICAS", "MISCONF")


class RedisAddressError(ValueError):
    """The address of Redis cannot be used; says why, without its password."""


def connect(url: SecretStr, *, queue: str) -> ArqRedis:
    """An arq pool for *url*: ``redis``, ``rediss``, ``unix``, ``valkey`` or ``valkeys``."""
    text, options = _options(url)
    try:
        pool = aioredis.ConnectionPool.from_url(text, **options)
    except ValueError as error:
        raise RedisAddressError(f"the Redis address cannot be used: {error}") from None
    pool.connection_class = PACKING[pool.connection_class]
    redis = ArqRedis(
        pool,
        job_serializer=arq_serializer,
        job_deserializer=arq_deserializer,
        default_queue_name=queue,
    )
    # redis-py 5.3 closes only pools it has made itself; this one has no other owner.
    redis.auto_close_connection_pool = True
    return redis


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
    if isinstance(error, (RedisConnectionError, RedisTimeoutError, OSError, *_PASSING)):
        return True
    return isinstance(error, ResponseError) and str(error).startswith(_PASSING_CODES)


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
