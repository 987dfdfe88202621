"""The real command, looked at from outside: scraped, probed, traced."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from stage import SECRETS, Stage, WorkerProcess

from waiting import until


async def get(worker: WorkerProcess, path: str) -> tuple[int, str]:
    """A page of the worker's port, which stands in its log."""
    (told,) = [line for line in worker.log().splitlines() if '"metrics.listening"' in line]
    port = json.loads(told)["port"]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def check(stage: Stage, *arguments: str, **changes: str) -> tuple[int, dict[str, str]]:
    """`imbi-worker check` with the worker's environment: exit code, and status by check."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "imbi_worker", "check", *arguments, "--json"),
        env=stage.environment(**changes),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    lines = [json.loads(line) for line in out.decode().splitlines()]
    return await process.wait(), {line["check"]: line["status"] for line in lines}


async def test_a_worker_is_looked_at_from_its_start_to_its_drain(
    stage: Stage, tmp_path: Path
) -> None:
    """By port and by file alike; no page shows a secret, and the file is gone in the end."""
    file = tmp_path / "heartbeat.json"
    options = {"metrics_port": "0", "heartbeat_file": str(file), "drain": "20s", "revision": "4f1d"}
    assert await check(stage, "--live", **options) == (1, {"heartbeat": "failed"})
    assert await check(stage, "--fleet", **options) == (1, {"fleet": "failed"})
    worker = await stage.worker(**options)
    assert await check(stage, "--live", **options) == (
        0,
        {"event loop": "ok", "claim loop": "ok"},
    )
    assert await check(stage, "--fleet", **options) == (0, {"fleet": "ok"})
    assert (await check(stage, "--fleet", "--at-least", "2", **options))[0] == 1

    async def is_ready() -> bool:
        return (await check(stage, "--ready", **options))[0] == 0

    await until(is_ready, 20)
    enqueued = await stage.enqueue(("demo#notify", {"message": "hello"}))
    await stage.until_state(enqueued, "succeeded")
    await stage.enqueue(("demo#work", {"label": "long", "seconds": 3600}), delivery="d2")
    await until(lambda: stage.work("long") == ["start"])
    _, text = await get(worker, "/metrics")
    done = 'imbi_worker_attempts_total{action="notify",outcome="succeeded",plugin="demo"} 1.0'
    assert done in text
    assert 'imbi_worker_credentials_fetch_seconds_count{result="ok"} 1.0' in text
    assert 'revision="4f1d"' in text
    worker.terminate()

    async def is_draining() -> bool:
        return (await get(worker, "/readyz"))[0] == 503

    await until(is_draining)
    assert (await get(worker, "/livez"))[0] == 200
    code, checks = await check(stage, "--ready", **options)
    if code:
        assert checks["drain"] == "failed"
    shown = text + file.read_text() + (await get(worker, "/readyz"))[1]
    for secret in SECRETS:
        assert secret not in shown
    worker.terminate()
    assert await worker.ended() == 0
    assert not file.exists()


async def test_a_port_in_use_ends_the_worker_at_its_start(stage: Stage) -> None:
    """With what to set, and nothing claimed."""
    taken = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    worker = await stage.worker(ready=False, metrics_port=str(port))
    assert await worker.ended() == 78
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in worker.log()
    taken.close()


class Collector:
    """Takes what an exporter sends."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        return web.Response()


@pytest.fixture
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield collector, f"http://{host}:{port}"
    await runner.cleanup()


async def test_spans_go_where_the_environment_says(
    stage: Stage, collector: tuple[Collector, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last ones, too, before the worker is gone; no secret goes with them."""
    taken, address = collector
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    worker = await stage.worker(environment={"OTEL_EXPORTER_OTLP_ENDPOINT": address})
    enqueued = await stage.enqueue(("demo#notify", {"message": "hello"}))
    await stage.until_state(enqueued, "succeeded")
    worker.terminate()
    assert await worker.ended() == 0
    sent = b"".join(taken.bodies)
    for text in (b"process imbi:queue", b"imbi-worker", enqueued.jobs[0].id.encode(), b"POST"):
        assert text in sent, worker.log()
    for secret in SECRETS:
        assert secret.encode() not in sent


async def test_a_collector_that_is_away_keeps_no_worker(stage: Stage) -> None:
    """Jobs run, and the end comes in time."""
    worker = await stage.worker(
        environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, drain="1s", grace="1s"
    )
    enqueued = await stage.enqueue(("demo#notify", {"message": "hello"}))
    await stage.until_state(enqueued, "succeeded")
    worker.terminate()
    assert await worker.ended(within=8) == 0
