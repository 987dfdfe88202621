"""A real Prometheus that scrapes real processes every second, with our rules loaded."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from acceptance.stage import Stage
from waiting import until

RULES = Path(__file__).parents[2] / "deploy" / "helm" / "imbi-worker" / "files" / "rules.yaml"
_LISTENS = re.compile(r'"port":(\d+),"event":"metrics.listening"')


class Prometheus:
    """What it knows, asked over its API."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of *expression* at this moment; fails where Prometheus refuses it."""
        told = await self._get("query", query=expression)
        return list(told["result"]) if told["resultType"] == "vector" else [told]

    async def firing(self) -> set[str]:
        """The alerts that fire now."""
        alerts = (await self._get("alerts"))["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    async def until_firing(self, *alerts: str, within: float = 40) -> None:
        async def fire() -> bool:
            return set(alerts) <= await self.firing()

        await until(fire, within)

    async def until_scraped(self, targets: int, times: int) -> None:
        """Each of so many targets has answered so often."""
        asked = f"count(count_over_time(up[5m]) >= {times} and up == 1) == {targets}"

        async def are_there() -> bool:
            return bool(await self.query(asked))

        await until(are_there, 40)

    async def is_ready(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{self._address}/-/ready") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _get(self, path: str, **question: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._address}/api/v1/{path}", params=question) as answer,
        ):
            told = await answer.json()
        assert told["status"] == "success", told
        return told["data"]


@asynccontextmanager
async def prometheus(server: Path, folder: Path, ports: Sequence[int]) -> AsyncIterator[Prometheus]:
    """Scrapes *ports* of this machine; its alerts fire after a second, not after minutes."""
    rules = re.sub(r"for: \d+[mh]", "for: 1s", RULES.read_text(encoding="utf-8"))
    (folder / "rules.yaml").write_text(rules)
    targets = [f"127.0.0.1:{port}" for port in ports]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "imbi-worker", "static_configs": [{"targets": targets}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            server,
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'series'}",
            f"--web.listen-address={own}",
            stdout=log,
            stderr=log,
        )
    try:
        found = Prometheus(f"http://{own}")
        await until(found.is_ready, 20)
        yield found
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def queue_port(stage: Stage, folder: Path) -> AsyncIterator[int]:
    """A dashboard of *stage*; the port at which it exports the queue's figures."""
    log = folder / "dashboard.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "imbi_worker", "dashboard"),
            env=stage.environment(dashboard_port="0", dashboard_metrics_port="0"),
            stdout=out,
            stderr=out,
        )
    try:
        await until(lambda: _LISTENS.search(log.read_text()) is not None, 20)
        yield port_in(log.read_text())
    finally:
        process.terminate()
        await process.wait()


def port_in(log: str) -> int:
    """The metrics port that a process has told its log."""
    told = _LISTENS.search(log)
    assert told is not None, log
    return int(told[1])
