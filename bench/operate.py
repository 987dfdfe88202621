"""What an operator waits for: commands as processes, from their start to their exit."""

import asyncio
import os
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
            "help_ms": await _commands(stage, ["--help"]),
            "version_ms": await _commands(stage, ["--version"]),
            "status_ms": await _commands(stage, ["status"]),
            "status_data_ms": [await _data(inspection) for _ in range(_REPEAT)],
            "why_ms": await _commands(stage, ["jobs", "why", job.decode()]),
        }
        await _bury(inspection)
    finally:
        await redis.aclose()
    found["dead_list_ms"] = await _commands(stage, ["dead", "list"])
    groups = ["dead", "groups"]
    found["dead_groups_s"] = [await asyncio.to_thread(_run, stage, groups)]
    found["dead_groups_mb"] = [await asyncio.to_thread(_megabytes, stage, groups)]
    return found


async def _commands(stage: Stage, words: Sequence[str]) -> list[float]:
    """The first one finds its files in no cache, and is not counted."""
    took = [await asyncio.to_thread(_run, stage, words) * 1_000 for _ in range(_REPEAT + 1)]
    return took[1:]


def _run(stage: Stage, words: Sequence[str]) -> float:
    """Seconds from start to exit."""
    begun = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own command
        [_COMMAND, *words], env=_environment(stage), capture_output=True, check=True
    )
    return time.perf_counter() - begun


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
    return {**os.environ, **stage.extra, "REDIS_URL": stage.url}


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
