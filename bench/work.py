"""The work every engine is given: a job carries 2 KiB of JSON and does nothing, or sleeps.

Only the standard library: it is imported in the environment of every peer.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PAYLOAD_BYTES = 2048


def payload(number: int, size: int = PAYLOAD_BYTES, **orders: Any) -> dict[str, Any]:
    """Some 2 KiB of JSON, or *size* bytes; *orders* are for `Served`."""
    body = {"number": number, "ref": "refs/heads/main", **orders}
    return {**body, "padding": "x" * (size - len(json.dumps(body)) - 14)}


@dataclass
class Drained:
    """Counts calls up to *jobs*; notes moment and CPU time of the first and of the last one.

    From call to call: what an engine does before its first job is its start, not its speed.
    """

    jobs: int
    sleep: float
    calls: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    began: tuple[float, float] = (0.0, 0.0)
    finished: tuple[float, float] = (0.0, 0.0)
    # The engine of ours hands out bytes: here nobody looks into them.
    reads_payload = False

    async def __call__(self, body: Mapping[str, Any]) -> None:  # noqa: ARG002 - as in Served
        if not self.began[0]:
            self.began = (time.perf_counter(), time.process_time())
        if self.sleep:
            await asyncio.sleep(self.sleep)
        self.calls += 1
        if self.calls == self.jobs:
            self.finished = (time.perf_counter(), time.process_time())
            self.ended.set()

    @property
    def seconds(self) -> float:
        return self.finished[0] - self.began[0]

    @property
    def cpu_seconds(self) -> float:
        return self.finished[1] - self.began[1]


@dataclass
class Served:
    """Does what the payload orders: note the way here, tell that it began, sleep."""

    latencies: dict[str, list[float]] = field(default_factory=dict)
    # What an engine of ours says of itself: the moments of its claims and wake-ups.
    moments: dict[str, list[float]] = field(default_factory=dict)
    reads_payload = True

    async def __call__(self, body: Mapping[str, Any]) -> None:
        # perf_counter is one clock for all processes of a Linux machine.
        now = time.perf_counter()
        if "sent" in body:
            self.latencies.setdefault(body["phase"], []).append((now - body["sent"]) * 1000)
        if body.get("tells"):
            print(json.dumps({"began": body["number"], "at": now}), flush=True)
        if body.get("sleep"):
            await asyncio.sleep(body["sleep"])
