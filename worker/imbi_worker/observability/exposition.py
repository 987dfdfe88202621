"""What a scrape is answered with: one reading of Redis and one text for all who ask at once."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder, generate_latest

from imbi_sdk.queue import QueueError
from imbi_worker.observability.listener import Answer
from imbi_worker.observability.queue_figures import QueueCollector, QueueFigures, read_figures
from imbi_worker.queue.inspection import Inspection

# Scrapers ask every few seconds; a hundred of them at once cost as much as one.
_FRESH_SECONDS: Final = 0.5
_REDIS_SECONDS: Final = 2.0
_PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """The metrics of *registry*, with the figures of the queue beside them."""

    def __init__(self, registry: CollectorRegistry, inspection: Inspection) -> None:
        self._registry = registry
        self._inspection = inspection
        self._queue = QueueCollector(inspection.queue)
        self._read_at = 0.0
        self._lock = asyncio.Lock()
        self._texts: dict[str, Answer] = {}
        self._reading: asyncio.Task[QueueFigures] | None = None

    async def page(self, accept: str) -> Answer:
        """The page for a scraper that accepts *accept*.

        Never raises: without Redis the worker's own figures are told, and ``imbi_queue_up 0``.
        """
        async with self._lock:
            if time.monotonic() - self._read_at > _FRESH_SECONDS:
                self._queue.figures = await self._figures()
                self._read_at = time.monotonic()
                self._texts.clear()
            encode, content_type = _encoder(accept)
            if content_type not in self._texts:
                self._texts[content_type] = Answer(encode(self), content_type)
            return self._texts[content_type]

    def collect(self) -> Iterator[Metric]:
        """Both halves of the table; an encoder takes this for a registry."""
        yield from self._registry.collect()
        yield from self._queue.collect()

    async def close(self) -> None:
        """End a reading that Redis has left without an answer."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _figures(self) -> QueueFigures | None:
        # A reading that takes too long is not cancelled but left for the next scrape to
        # find: redis-py 5.3 can lose a reply whose reader is cancelled.
        if self._reading is None:
            self._reading = asyncio.create_task(read_figures(self._inspection))
        done, _ = await asyncio.wait({self._reading}, timeout=_REDIS_SECONDS)
        if not done:
            return None
        reading, self._reading = self._reading, None
        try:
            return reading.result()
        except QueueError:
            return None


def _encoder(accept: str) -> tuple[Callable[[Any], bytes], str]:
    try:
        return choose_encoder(accept)
    except ValueError:
        # A version that is no number.
        return generate_latest, _PLAIN
