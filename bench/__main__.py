"""`make bench`: the figures, each with its peer measured in the same run.

python -m bench [--jobs 10000] [--repeat 3]
"""

import argparse
import asyncio
import json
import os
import statistics
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table

from bench.arq_peer import drain_with_arq
from bench.engine import drain_no_ops, enqueue_rate, idle_pick_up
from bench.whole_path import drain_whole_path
from imbi_sdk.attempt import Redactor
from imbi_worker.embedded import embedded_servers
from imbi_worker.observability import configure_logs

RESULTS = Path(__file__).parent / "results.json"


async def measure(jobs: int, repeat: int) -> dict[str, dict[str, object]]:
    """Interleaved repetitions, so that a slow minute of the machine hits all alike."""
    figures: dict[str, list[float]] = {}

    async def note(name: str, run: Callable[[], Awaitable[float]]) -> None:
        figures.setdefault(name, []).append(await run())

    async with embedded_servers() as servers:
        assert servers.redis_url is not None
        assert servers.graph is not None
        url, graph = servers.redis_url, servers.graph
        for _ in range(repeat):
            await note("arq tuned", lambda: drain_with_arq(url, jobs))
            await note("engine no-op", lambda: drain_no_ops(url, jobs))
            await note("whole path", lambda: drain_whole_path(url, graph, jobs))
            await note("enqueue", lambda: enqueue_rate(url, jobs))
            pick_up = await idle_pick_up(url, 200)
            figures.setdefault("pick-up p50", []).append(pick_up[0])
            figures.setdefault("pick-up p99", []).append(pick_up[1])
    median = {name: statistics.median(values) for name, values in figures.items()}
    peer = median["arq tuned"]
    return {
        name: {
            "value": round(value, 2),
            "unit": "ms" if name.startswith("pick-up") else "jobs/s",
            "peer": None if name.startswith(("pick-up", "enqueue")) else "arq tuned",
            "ratio": None if name.startswith(("pick-up", "enqueue")) else round(value / peer, 2),
        }
        for name, value in median.items()
    }


def show(results: dict[str, dict[str, object]]) -> None:
    table = Table("figure", "value", "unit", "ratio to tuned arq")
    for name, figure in results.items():
        ratio = figure["ratio"]
        table.add_row(name, f"{figure['value']:,}", str(figure["unit"]), str(ratio or ""))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        run(options, nowhere)


def run(options: argparse.Namespace, nowhere: TextIO) -> None:
    """Log lines are written, as in a pod, but to the null device."""
    configure_logs(level="info", style="json", redactor=Redactor(), stream=nowhere)
    results = asyncio.run(measure(options.jobs, options.repeat))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    show(results)


if __name__ == "__main__":
    main()
