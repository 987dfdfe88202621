"""What every engine is asked, in the same words; the answer is one line of JSON.

    drain     fill the queue, then work it off: jobs/s and CPU time per job
    enqueue   fill the queue: jobs/s
    fill      the same, and nothing is measured
    serve     work until the standard input ends, then tell what was noted
    produce   enqueue at a pace, each job with the moment of its call

Only the standard library: it runs in the environment of every peer.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn, Protocol, TypeAlias

from bench.work import PAYLOAD_BYTES, Drained, Served, payload

Work: TypeAlias = Drained | Served
FILL = 100


class Producer(Protocol):
    """One engine's way to enqueue; some have a call for many jobs."""

    async def enqueue(self, payloads: Sequence[dict[str, Any]]) -> None: ...


class Worker(Protocol):
    """One engine's worker; ``run`` goes on until the process ends."""

    async def run(self) -> None: ...


class Peer(Protocol):
    """An engine: *variant* is one of those its module knows."""

    def producer(self, url: str, variant: str) -> AbstractAsyncContextManager[Producer]: ...

    def worker(
        self, url: str, variant: str, slots: int, work: Work
    ) -> AbstractAsyncContextManager[Worker]: ...


def main(peer: Peer) -> None:
    options = _options()
    command = _COMMANDS[options.command]
    _answer(asyncio.run(command(peer, options)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--fill-url", help="where drain enqueues; --url unless given")
    parser.add_argument("--variant", default="")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--sleep", type=float, default=0.0)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two calls")
    parser.add_argument("--size", type=int, default=PAYLOAD_BYTES, help="bytes of a payload")
    parser.add_argument("--width", type=int, default=1, help="payloads a call of produce")
    parser.add_argument("--phase", default="")
    parser.add_argument("--tells", action="store_true")
    return parser.parse_args()


async def _fill(peer: Peer, options: argparse.Namespace) -> float:
    """Jobs per second, one call after the other."""
    async with peer.producer(options.fill_url or options.url, options.variant) as producer:
        orders = {"sleep": options.sleep} if options.sleep else {}
        made = [payload(number, **orders) for number in range(options.jobs)]
        begun = time.perf_counter()
        for start in range(0, options.jobs, FILL):
            await producer.enqueue(made[start : start + FILL])
        taken = time.perf_counter() - begun
    jobs: int = options.jobs
    return jobs / taken


async def _drain(peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    await _fill(peer, options)
    work = Drained(options.jobs, options.sleep)
    async with peer.worker(options.url, options.variant, options.slots, work) as worker:
        running = asyncio.ensure_future(worker.run())
        ended = asyncio.ensure_future(work.ended.wait())
        await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not work.ended.is_set():
            raise RuntimeError(f"ended after {work.calls} of {work.jobs}: {running}")
        _answer(
            {
                "jobs_per_s": work.jobs / work.seconds,
                "cpu_us": work.cpu_seconds / work.jobs * 1_000_000,
            }
        )


async def _enqueue(peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    return {"jobs_per_s": await _fill(peer, options)}


async def _serve(peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    work = Served()
    async with peer.worker(options.url, options.variant, options.slots, work) as worker:
        running = asyncio.ensure_future(worker.run())
        print(json.dumps({"ready": os.getpid()}), flush=True)
        told = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
        await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
        if not told.done():
            raise RuntimeError(f"the worker ended by itself: {running}")
        _answer({"latencies": work.latencies, "moments": work.moments})


async def _produce(peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    """At a fixed pace, whatever a call takes: a late worker makes no later calls."""
    async with peer.producer(options.url, options.variant) as producer:
        begun = time.perf_counter()
        for number in range(options.jobs):
            await asyncio.sleep(max(0.0, begun + number * options.pause - time.perf_counter()))
            orders: dict[str, Any] = {"sleep": options.sleep, "tells": options.tells}
            if options.phase:
                orders |= {"phase": options.phase, "sent": time.perf_counter()}
            await producer.enqueue([payload(number, options.size, **orders)] * options.width)
        taken = time.perf_counter() - begun
    return {"jobs_per_s": options.jobs / taken}


def _answer(answer: dict[str, Any]) -> NoReturn:
    # Without goodbyes: some engines wait for seconds, and the database is flushed anyway.
    print(json.dumps(answer), flush=True)
    os._exit(0)


_COMMANDS: dict[str, Callable[[Peer, argparse.Namespace], Coroutine[Any, Any, dict[str, Any]]]] = {
    "drain": _drain,
    "enqueue": _enqueue,
    "fill": _enqueue,
    "serve": _serve,
    "produce": _produce,
}
