from imbi_worker.queue.arq_pool import (
    connect,
)
from imbi_worker.queue.assembly import (
    WorkerPlan,
    build_engine,
    worker_id,
)
from imbi_worker.queue.connection import (
    in_database,
    is_passing,
    open_client,
    with_certificates,
)
from imbi_worker.queue.dead_letters import (
    Replayed,
    replay,
)
from imbi_worker.queue.engine import (
    Engine,
    EngineOptions,
)
from imbi_worker.queue.errors import (
    InvalidCursor,
    NotAllowed,
    RedisAddressError,
)
from imbi_worker.queue.janitor import (
    Retention,
)
from imbi_worker.queue.trouble import (
    LayoutMismatch,
)

__all__ = [
    "Engine",
    "EngineOptions",
    "InvalidCursor",
    "LayoutMismatch",
    "NotAllowed",
    "RedisAddressError",
    "Replayed",
    "Retention",
    "WorkerPlan",
    "build_engine",
    "connect",
    "in_database",
    "is_passing",
    "open_client",
    "replay",
    "with_certificates",
    "worker_id",
]
