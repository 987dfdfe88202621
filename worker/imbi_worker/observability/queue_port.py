"""The queue's figures on a port of their own, served by a process that is no worker.

Workers export them, too; but who tells that there is no worker left?
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from prometheus_client import CollectorRegistry

from imbi_worker.observability.exposition import Exposition
from imbi_worker.observability.listener import Listener
from imbi_worker.queue.inspection import Inspection

_LOG = structlog.get_logger("imbi_worker.observability")


@asynccontextmanager
async def serve_queue(sock: socket.socket, inspection: Inspection) -> AsyncIterator[None]:
    """Answer ``/metrics`` at *sock* with what *inspection* reads, and nothing else."""
    exposition = Exposition(CollectorRegistry(), inspection)
    server = await Listener({"/metrics": exposition.page}).serve(sock)
    host, port, *_ = sock.getsockname()
    _LOG.info("metrics.listening", host=host, port=port)
    try:
        yield
    finally:
        server.close()
        await exposition.close()
