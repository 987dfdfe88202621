"""A worker that is looked at: its metrics, its probes, its heartbeat file."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr
from room import Room

from imbi_sdk.queue import keys
from imbi_sdk.registry import list_handlers, list_plugins
from imbi_worker.observability import (
    AttemptTraces,
    Equipment,
    Lookout,
    Subject,
    Telemetry,
    WorkerMetrics,
    listen_at,
)

_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


@dataclass
class Page:
    status: int
    text: str
    content_type: str


@dataclass
class Watched:
    """A running worker and its port."""

    engine: Any
    address: str

    async def get(self, path: str, **headers: str) -> Page:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.address}{path}", headers=headers) as answer,
        ):
            return Page(answer.status, await answer.text(), answer.headers["Content-Type"])

    async def figures(self) -> dict[str, float]:
        """Every sample of a scrape that is not zero, as Prometheus would name it."""
        page = await self.get("/metrics")
        assert page.status == 200
        found = (_LINE.match(line) for line in page.text.splitlines() if line[0] != "#")
        return {
            f"{line[1]}{{{line[2]}}}" if line[2] else line[1]: float(line[3])
            for line in found
            if line is not None and float(line[3])
        }


@asynccontextmanager
async def watched(
    room: Room,
    *,
    file: Path | None = None,
    stall: timedelta = timedelta(seconds=30),
    traces: AttemptTraces | None = None,
    **options: Any,
) -> AsyncIterator[Watched]:
    """A worker of *room* with a lookout at a free port."""
    counts = WorkerMetrics(queue=keys.QUEUE, plugins=list_plugins(), handlers=list_handlers())
    async with room.worker(witness=Telemetry(counts, traces), **options) as engine:
        counts.watch(lambda: engine.vitals)
        sock = listen_at("127.0.0.1", 0)
        url = options.get("url")
        subject = Subject(
            worker=engine.worker,
            vitals=lambda: engine.vitals,
            equipment=Equipment(["probe"], [], key_is_usable=True),
            registry=counts.registry,
            redis_url=SecretStr(url) if url else room.url,
            queue=keys.QUEUE,
            stall=stall,
        )
        lookout = Lookout(subject, sock=sock, file=file)
        port = sock.getsockname()[1]
        lookout.start()
        try:
            yield Watched(engine, f"http://127.0.0.1:{port}")
        finally:
            await asyncio.to_thread(lookout.stop)
