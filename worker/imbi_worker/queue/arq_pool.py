"""The connections to Redis as arq's own classes take them."""

from arq.connections import ArqRedis
from pydantic import SecretStr

from imbi_sdk.queue import arq_deserializer, arq_serializer
from imbi_worker.queue.connection import open_pool


def connect(url: SecretStr, *, queue: str) -> ArqRedis:
    """An arq pool for *url*; it connects when it is used."""
    redis = ArqRedis(
        open_pool(url),
        job_serializer=arq_serializer,
        job_deserializer=arq_deserializer,
        default_queue_name=queue,
    )
    # redis-py 5.3 closes only pools it has made itself; this one has no other owner.
    redis.auto_close_connection_pool = True
    return redis
