"""What an operator waits for: commands as processes, from their start to their exit."""

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from bench.child import ask
from bench.engines import SHARED_EVENT
from bench.stage import Stage
from imbi_sdk.queue import keys
from imbi_worker.operations.status import status
from imbi_worker.queue import connect
from imbi_worker.queue.claims import Claimer, Request
from imbi_worker.queue.finishing import Ending, Finisher
from imbi_worker.queue.inspection import Inspection

_COMMAND: Final = str(Path(sys.executable).with_name("imbi-worker"))
_REPEAT: Final = 10
_PARENT: Final = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
# What operators ask most, beside `status` and `jobs why`.
_LOOKS: Final[Mapping[str, Sequence[str]]] = {
    "jobs_list": ["jobs", "list"],
    "deliveries_list": ["deliveries", "list"],
    "workers_list": ["workers", "list"],
    "holds_list": ["holds", "list"],
    "queue_stats": ["queue", "stats"],
    "audit_tail": ["audit", "tail"],
}
_LEASE: Final = timedelta(minutes=10)
_BYTES: Final = 64 * 1024 * 1024


async def operate(stage: Stage, jobs: int) -> Mapping[str, list[float]]:
    """With *jobs* waiting, then with as many dead letters; units stand in the names."""
    await stage.clear()
    await ask(SHARED_EVENT, "fill", url=stage.url, jobs=jobs)
    redis = connect(SecretStr(stage.url), queue=keys.QUEUE)
    try:
        inspection = Inspection(redis)
        (job,) = await redis.zrange(keys.QUEUE, 0, 0)
        found = {
            **await _commands(stage, "help", ["--help"]),
            **await _commands(stage, "version", ["--version"]),
            **await _commands(stage, "status", ["status"]),
            "status_data_ms": [await _data(inspection) for _ in range(_REPEAT)],
            **await _commands(stage, "why", ["jobs", "why", job.decode()]),
        }
        for name, words in _LOOKS.items():
            found |= await _commands(stage, name, words)
        await _bury(inspection)
    finally:
        await redis.aclose()
    found |= await _commands(stage, "dead_list", ["dead", "list"])
    groups = ["dead", "groups"]
    found["dead_groups_s"] = [(await asyncio.to_thread(_run, stage, groups))[0]]
    found["dead_groups_mb"] = [await asyncio.to_thread(_megabytes, stage, groups)]
    return found


async def _commands(stage: Stage, name: str, words: Sequence[str]) -> dict[str, list[float]]:
    """Start to exit, and the CPU time of it, which what else runs here moves less.

    The first one finds its files in no cache, and is not counted.
    """
    took = [await asyncio.to_thread(_run, stage, words) for _ in range(_REPEAT + 1)]
    return {
        f"{name}_ms": [seconds * 1_000 for seconds, _ in took[1:]],
        f"{name}_cpu_ms": [cpu * 1_000 for _, cpu in took[1:]],
    }


def _run(stage: Stage, words: Sequence[str]) -> tuple[float, float]:
    """Seconds from start to exit, and seconds of CPU."""
    begun, used = time.perf_counter(), _cpu_of_children()
    subprocess.run(  # noqa: S603 - our own command
        [_COMMAND, *words], env=_environment(stage), capture_output=True, check=True
    )
    return time.perf_counter() - begun, _cpu_of_children() - used


def _cpu_of_children() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def _megabytes(stage: Stage, words: Sequence[str]) -> float:
    """The most memory a command takes; asked of a small parent, whose own would count too."""
    told = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-I", "-c", _PARENT, _COMMAND, *words],
        env=_environment(stage),
        capture_output=True,
        check=True,
    )
    return int(told.stdout) / 1024


def _environment(stage: Stage) -> dict[str, str]:
    found = {**os.environ, **stage.extra, "REDIS_URL": stage.url}
    # An installed command has its bytecode; without it each start would compile what was edited.
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    return found


async def _data(inspection: Inspection) -> float:
    begun = time.perf_counter()
    await status(inspection)
    return (time.perf_counter() - begun) * 1_000


async def _bury(inspection: Inspection) -> None:
    """What waits becomes dead letters, as a worker would make them."""
    redis, queue = inspection.redis, inspection.queue
    claimer = Claimer(redis, queue=queue, worker="bench", lease=_LEASE, slugs=["bench"])
    finisher = Finisher(redis, queue=queue, patience=_LEASE, on_settled=_ignore)
    wanted = Request(
        jobs=100, event_bytes=_BYTES, takes_any=True, spares_expired=False, graph_answers=True
    )
    writing = asyncio.create_task(finisher.run())
    while jobs := (await claimer.claim(wanted)).jobs:
        for job in jobs:
            error = f"HTTP 404 for {job.id}"
            finisher.add(Ending(job.id, job.token, "dead", reason="permanent error", error=error))
        await finisher.drained()
    writing.cancel()


def _ignore(ending: Ending, reply: str) -> None:
    assert reply == "ok", (ending, reply)
