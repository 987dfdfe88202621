"""The thread that answers scrapers and probes, and writes the heartbeat file.

A thread with a loop and a connection of its own: an action that blocks the worker's loop is
seen by who asks, with the seconds it has stood still, and a hundred scrapes at once delay no
job by more than the interpreter's switch.
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from imbi_worker.observability.exposition import Exposition
from imbi_worker.observability.listener import Answer, Listener
from imbi_worker.observability.vital_signs import Equipment, live, ready
from imbi_worker.probes.health import Health
from imbi_worker.probes.heartbeat import INTERVAL_SECONDS, Heartbeat
from imbi_worker.queue.connection import open_client
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.vitals import Vitals

_LOG = structlog.get_logger("imbi_worker.observability")
_LONGEST_END: Final = 2.0
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Subject:
    """The worker that is looked at."""

    worker: str
    vitals: Callable[[], Vitals]
    equipment: Equipment
    registry: CollectorRegistry
    redis_url: SecretStr
    queue: str
    stall: timedelta

    def live(self) -> Health:
        return live(self.vitals(), now=time.monotonic(), stall=self.stall)

    def ready(self) -> Health:
        return ready(self.vitals(), self.equipment, now=datetime.now(UTC))


class Lookout:
    """Looks at *subject* for whoever asks at *sock*, and for the readers of *file*."""

    def __init__(self, subject: Subject, *, sock: socket.socket | None, file: Path | None) -> None:
        self._subject = subject
        self._sock = sock
        self._file = file
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="imbi-lookout", daemon=True)
        self._has_failed = False

    def start(self) -> None:
        """Returns once it looks."""
        self._thread.start()
        self._begun.wait(_LONGEST_END)

    def stop(self) -> None:
        """End the thread; the file goes with it. Idempotent."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
        if self._thread.is_alive():
            self._thread.join(_LONGEST_END)

    def _run(self) -> None:
        asyncio.run(self._look())

    async def _look(self) -> None:
        self._loop = asyncio.get_running_loop()
        redis = open_client(self._subject.redis_url)
        exposition = Exposition(
            self._subject.registry, Inspection(redis, queue=self._subject.queue)
        )
        server = await self._serve(exposition)
        self._begun.set()
        try:
            while not self._over.is_set():
                self._beat()
                await self._pause()
        finally:
            if server is not None:
                server.close()
            await exposition.close()
            await redis.aclose()
            if self._file is not None:
                self._file.unlink(missing_ok=True)

    async def _serve(self, exposition: Exposition) -> asyncio.Server | None:
        if self._sock is None:
            return None

        async def livez(_: str) -> Answer:
            return _told(self._subject.live())

        async def readyz(_: str) -> Answer:
            return _told(self._subject.ready())

        pages = {"/metrics": exposition.page, "/livez": livez, "/readyz": readyz}
        host, port, *_ = self._sock.getsockname()
        _LOG.info("metrics.listening", host=host, port=port)
        return await Listener(pages).serve(self._sock)

    def _beat(self) -> None:
        if self._file is None:
            return
        subject = self._subject
        beat = Heartbeat(subject.worker, time.time(), subject.live(), subject.ready())
        try:
            beat.write(self._file)
        except OSError as error:
            if not self._has_failed:
                _LOG.error(
                    "heartbeat_file.failed",
                    file=str(self._file),
                    error=error.strerror,
                    hint="IMBI_WORKER_HEARTBEAT_FILE must name a place this user may write",
                )
            self._has_failed = True
        else:
            self._has_failed = False

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(INTERVAL_SECONDS):
                await self._over.wait()
        except TimeoutError:
            pass


def _told(health: Health) -> Answer:
    text = json.dumps({"ok": health.is_ok, "checks": health.to_json()}, indent=1)
    status = HTTPStatus.OK if health.is_ok else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(f"{text}\n".encode(), _JSON, status)
