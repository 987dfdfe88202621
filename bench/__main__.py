"""`make bench`: every figure with its peers beside it, measured in the same run.

python -m bench [--quick] [--only no-op,far] [--repeat 5] [--redis /usr/bin/redis-server]
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import CalledProcessError
from typing import Final

from bench.child import ChildFailed
from bench.engines import (
    ARQ,
    ARQ_DEFAULT,
    FLOOR,
    OWN_EVENT,
    PEERS,
    SHARED_EVENT,
    UPDATE_PROJECT,
    WHOLE_PATH,
    Engine,
    prepare,
)
from bench.figures import key, results
from bench.measures.fleet import backlog_ratio, recovery_seconds, wake_ups, wasted_claims
from bench.measures.footprint import footprint, large_bodies, waiting_bytes
from bench.measures.speed import drain, enqueue_rate, pick_up
from bench.operate import operate
from bench.report import show
from bench.stage import Stage, open_stage

RESULTS: Final = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of everything a run does."""

    repeat: int
    jobs: int
    seconds: float
    waiting: int

    def jobs_of(self, shape: str, engine: Engine) -> int:
        """Fewer where an engine is slow: rates are steady long before."""
        if engine is ARQ_DEFAULT or (engine is ARQ and shape == "far"):
            return min(self.jobs, 1_000)
        return self.jobs if shape == "no-op" or engine not in PEERS else self.jobs // 2


FULL: Final = Effort(repeat=5, jobs=10_000, seconds=5, waiting=1_000_000)
QUICK: Final = Effort(repeat=1, jobs=2_000, seconds=3, waiting=20_000)


@dataclass
class Run:
    stage: Stage
    effort: Effort
    samples: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    number: int = 0
    redis: str = ""

    def note(self, name: str, *values: float) -> None:
        self.samples.setdefault(name, []).extend(values)
        print(f"{name}: {', '.join(f'{value:.4g}' for value in values)}", file=sys.stderr)

    @contextmanager
    def _surviving(self, what: str) -> Iterator[None]:
        """An engine that breaks loses its sample; the others go on, and the end tells."""
        try:
            yield
        except (ChildFailed, CalledProcessError, TimeoutError) as error:
            self.failures.append(what)
            print(f"{what} failed: {error}", file=sys.stderr)

    async def _drain(self, shape: str, engine: Engine) -> None:
        sleep = 0.005 if shape == "sleep" else 0.0
        jobs = self.effort.jobs_of(shape, engine)
        with self._surviving(f"{shape} of {engine.name}"):
            found = await drain(self.stage, engine, jobs, sleep=sleep, is_far=shape == "far")
            for what, value in found.items():
                self.note(key(shape, engine, what), value)

    async def no_op(self) -> None:
        ours = (OWN_EVENT, SHARED_EVENT, WHOLE_PATH, UPDATE_PROJECT)
        for engine in (*ours, *PEERS, ARQ_DEFAULT, FLOOR):
            await self._drain("no-op", engine)

    async def far(self) -> None:
        for engine in (OWN_EVENT, *PEERS, FLOOR):
            await self._drain("far", engine)

    async def sleep(self) -> None:
        for engine in (OWN_EVENT, *PEERS, FLOOR):
            await self._drain("sleep", engine)

    async def enqueue(self) -> None:
        for engine in (SHARED_EVENT, *PEERS, FLOOR):
            with self._surviving(f"enqueue of {engine.name}"):
                rate = await enqueue_rate(self.stage, engine, self.effort.jobs)
                self.note(key("enqueue", engine), rate)

    async def pick_up(self) -> None:
        # The peers' is no measure of ours: once is enough.
        peers = () if self.number else PEERS
        for engine in (WHOLE_PATH, OWN_EVENT, *peers):
            with self._surviving(f"pick-up of {engine.name}"):
                found = await pick_up(self.stage, engine, self.effort.seconds)
                for what, value in found.items():
                    self.note(key("pick-up", engine, what), value)

    async def footprint(self) -> None:
        for engine in (WHOLE_PATH, OWN_EVENT, *PEERS):
            # The heart beats every 10 s: a shorter look would count it once or not at all.
            seconds = 30 if engine is WHOLE_PATH else self.effort.seconds
            with self._surviving(f"footprint of {engine.name}"):
                for what, value in (await footprint(self.stage, engine, seconds)).items():
                    self.note(key("footprint", engine, what), value)

    async def recovery(self) -> None:
        with self._surviving("recovery"):
            self.note("recovery/seconds", *await recovery_seconds(self.stage))

    async def waiting(self) -> None:
        with self._surviving("waiting"):
            self.note("waiting/bytes", await waiting_bytes(self.stage, self.effort.waiting))

    async def wasted(self) -> None:
        with self._surviving("wasted"):
            found = await wasted_claims(self.stage, self.effort.seconds)
            for what, value in found.items():
                self.note(f"wasted/{what}", value)

    async def wake_ups(self) -> None:
        with self._surviving("wake-ups"):
            self.note("wake-ups/workers", await wake_ups(self.stage))

    async def large(self) -> None:
        with self._surviving("large"):
            self.note("large/mb", await large_bodies(self.stage))

    async def backlog(self) -> None:
        with self._surviving("backlog"):
            large, small, ratio = await backlog_ratio(self.stage, self.effort.waiting)
            self.note("backlog/large_us", large)
            self.note("backlog/small_us", small)
            self.note("backlog/ratio", ratio)

    async def operate(self) -> None:
        with self._surviving("operate"):
            for what, values in (await operate(self.stage, self.effort.waiting // 10)).items():
                self.note(f"operate/{what}", *values)


# Those that take minutes and give many values, or one that moves little, run once.
REPEATED: Final[Mapping[str, Callable[[Run], Awaitable[None]]]] = {
    "no-op": Run.no_op,
    "far": Run.far,
    "sleep": Run.sleep,
    "enqueue": Run.enqueue,
    "pick-up": Run.pick_up,
}
ONCE: Final[Mapping[str, Callable[[Run], Awaitable[None]]]] = {
    "footprint": Run.footprint,
    "recovery": Run.recovery,
    "waiting": Run.waiting,
    "wasted": Run.wasted,
    "wake-ups": Run.wake_ups,
    "large": Run.large,
    "backlog": Run.backlog,
    "operate": Run.operate,
}

# These set the peers beside us; the others need none of their environments.
COMPARED: Final = frozenset({*REPEATED, "footprint"})


async def measure(effort: Effort, shapes: set[str], redis: Path | None) -> Run:
    """Repetitions one after the other, each of all engines: a slow minute hits all alike."""
    async with open_stage(redis) as stage:
        run = Run(stage, effort, redis=await stage.redis_name())
        for run.number in range(effort.repeat):
            print(f"repetition {run.number + 1} of {effort.repeat}", file=sys.stderr)
            for name, shape in REPEATED.items():
                if name in shapes:
                    await shape(run)
        for name, shape in ONCE.items():
            if name in shapes:
                await shape(run)
        return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one small repetition of everything")
    parser.add_argument("--repeat", type=int, help="repetitions; 5, or 1 when quick")
    parser.add_argument("--waiting", type=int, help="jobs of the shapes that wait: 1,000,000")
    parser.add_argument("--only", default="", help=f"of {', '.join((*REPEATED, *ONCE))}")
    parser.add_argument("--redis", type=Path, help="the server's program; the embedded Valkey")
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    if options.repeat:
        effort = replace(effort, repeat=options.repeat)
    if options.waiting:
        effort = replace(effort, waiting=options.waiting)
    known = {*REPEATED, *ONCE}
    shapes = set(options.only.split(",")) if options.only else known
    if unknown := shapes - known:
        parser.error(f"--only knows {', '.join(sorted(known))}, and not {', '.join(unknown)}")
    if shapes & COMPARED:
        prepare()
    # As Ctrl-C does: the engines go with this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    before = os.getloadavg()
    run = asyncio.run(measure(effort, shapes, options.redis))
    found = results(run.samples)
    if options.only and RESULTS.exists():
        # The figures that this run did not ask for stand as they were.
        found = json.loads(RESULTS.read_text(encoding="utf-8")) | found
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    show(found)
    moments = (before, os.getloadavg())
    loads = " -> ".join(" ".join(f"{load:.2f}" for load in moment) for moment in moments)
    print(f"{run.redis}; load of the machine: {loads}; figures in {RESULTS}")
    if run.failures:
        sys.exit(f"failed: {', '.join(run.failures)}")


if __name__ == "__main__":
    main()
