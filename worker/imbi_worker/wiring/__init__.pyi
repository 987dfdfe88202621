from imbi_worker.wiring.connections import open_graph, open_redis, open_store, redis_url
from imbi_worker.wiring.equipment import load, require_encryption_key
from imbi_worker.wiring.event_loop import run_on
from imbi_worker.wiring.gateway import action_queue, signer
from imbi_worker.wiring.known_secrets import know_secrets
from imbi_worker.wiring.workers import (
    ApiIdentity,
    Opened,
    SystemClock,
    lookout,
    queue_port,
    with_embedded,
    worker,
)

__all__ = [
    "ApiIdentity",
    "Opened",
    "SystemClock",
    "action_queue",
    "know_secrets",
    "load",
    "lookout",
    "open_graph",
    "open_redis",
    "open_store",
    "queue_port",
    "redis_url",
    "require_encryption_key",
    "run_on",
    "signer",
    "with_embedded",
    "worker",
]
