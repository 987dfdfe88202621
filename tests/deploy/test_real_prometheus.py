"""The truth: real processes, scraped by a real Prometheus, set off the alerts they should."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from cryptography.fernet import Fernet
from observatory import RULES, Prometheus, port_in, prometheus, queue_port

from acceptance.stage import Stage, WorkerProcess
from imbi_sdk.queue import Enqueued, JobContext, Target, WebhookRule, keys
from imbi_worker.embedded import Valkey
from imbi_worker.graph import GraphAddress
from imbi_worker.queue.control import Control, Mandate
from waiting import until

pytestmark = [pytest.mark.needs_deploy_tools, pytest.mark.timeout(240)]

MANDATE = Mandate(actor="ann", reason="a test")
DASHBOARD = RULES.with_name("dashboard.json")


@dataclass
class Scene:
    """One worker and one dashboard on a Redis that may be killed, and who watches them."""

    stage: Stage
    worker: WorkerProcess
    metrics: Prometheus
    redis: Valkey

    async def enqueue(self, delivery: str, *, jobs: int = 1) -> Enqueued:
        """Jobs of an integration that the graph does not have."""
        return await self.stage.queue.enqueue_delivery(
            delivery=delivery,
            webhook_id="webhook-1",
            event={"type": "push", "metadata": {"headers": {}}, "payload": {}},
            rules=[
                WebhookRule(handler="demo#notify", ordinal=n, handler_config='{"message": "hi"}')
                for n in range(jobs)
            ],
            targets=[Target(JobContext(project_id="p0", project_slug="p0", org_slug="org"))],
        )


@pytest.fixture
async def scene(
    valkey: Valkey, graph_address: GraphAddress, prometheus_server: Path, tmp_path: Path
) -> AsyncIterator[Scene]:
    key = Fernet.generate_key().decode()
    async with Stage(valkey.url, graph_address, key) as stage:
        worker = await stage.worker(metrics_port="0")
        async with (
            queue_port(stage, tmp_path) as dashboard,
            prometheus(prometheus_server, tmp_path, [port_in(worker.log()), dashboard]) as found,
        ):
            await found.until_scraped(targets=2, times=5)
            yield Scene(stage, worker, found, valkey)


async def test_nothing_fires_while_all_is_well(scene: Scene) -> None:
    """Jobs come and end well, and Prometheus has looked several times since."""
    for number in range(5):
        done = await scene.stage.enqueue(("demo#notify", {"message": "hi"}), delivery=f"d{number}")
        await scene.stage.until_state(done, "succeeded")
    counted = 'imbi_queue_jobs_ended_total{outcome="succeeded"} == 5'
    await until(lambda: _holds(scene, counted), 20)
    await scene.metrics.until_scraped(targets=2, times=12)
    assert await scene.metrics.firing() == set()


async def test_credentials_that_are_missing_fire_from_the_first_job_on(scene: Scene) -> None:
    """As dead letters too; as a rate of failures only once there are five."""
    await scene.stage.until_state(await scene.enqueue("d1"), "dead")
    await scene.metrics.until_firing("ImbiCredentialErrors", "ImbiDeadLettersIncreasing")
    assert "ImbiFailureRate" not in await scene.metrics.firing()
    await scene.stage.until_state(await scene.enqueue("d2", jobs=9), "dead")
    await scene.metrics.until_firing("ImbiFailureRate")


async def test_a_pause_with_jobs_under_it_fires(scene: Scene) -> None:
    """And a queue that is held is not stalled: what is parked is not due."""
    control = Control(scene.stage.redis, queue=keys.QUEUE)
    await control.hold("queue", None, MANDATE)
    await scene.enqueue("d1")
    await scene.metrics.until_firing("ImbiQueueHeld")
    assert await scene.metrics.firing() == {"ImbiQueueHeld"}


async def test_the_last_worker_that_goes_fires_and_what_it_leaves_stalls(scene: Scene) -> None:
    """The dashboard tells so; a job that is due for long makes the queue a stalled one."""
    scene.worker.terminate()
    assert await scene.worker.ended() == 0
    await scene.metrics.until_firing("ImbiNoWorkers")
    assert await scene.metrics.firing() == {"ImbiNoWorkers"}
    enqueued = await scene.enqueue("d1")
    await scene.stage.redis.zincrby(keys.QUEUE, -400_000, enqueued.jobs[0].id)
    await scene.metrics.until_firing("ImbiQueueStalled")


async def test_a_redis_that_is_gone_fires_and_nothing_else_does(scene: Scene) -> None:
    """Nobody is sent after workers that live, nor after jobs that nobody can see."""
    scene.redis.kill()
    await scene.metrics.until_firing("ImbiRedisUnreachable")
    since = 'count_over_time(ALERTS{alertname="ImbiRedisUnreachable", alertstate="firing"}[1m]) > 8'
    await until(lambda: _holds(scene, since), 30)
    assert await scene.metrics.firing() == {"ImbiRedisUnreachable"}
    scene.redis.restart()

    async def is_over() -> bool:
        return await scene.metrics.firing() == set()

    await until(is_over, 30)


async def test_every_panel_of_the_dashboard_is_drawn_from_what_is_scraped(scene: Scene) -> None:
    """Prometheus takes each expression, and those that a live fleet can fill are not empty."""
    done = await scene.stage.enqueue(("demo#notify", {"message": "hi"}))
    await scene.stage.until_state(done, "succeeded")
    await scene.metrics.until_scraped(targets=2, times=12)
    empty = set()
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            expression = re.sub(r"\$(namespace|job|queue|plugin)\b", ".*", target["expr"])
            expression = expression.replace("$__rate_interval", "30s")
            if not await scene.metrics.query(expression):
                empty.add((panel["title"], target["legendFormat"]))
    # A gateway is not there, and Redis answers every scrape.
    assert empty == {
        ("Enqueued by gateways", "{{result}}"),
        ("Calls of Redis that failed", "unanswered scrapes"),
    }


async def test_promtool_finds_no_fault_in_what_is_scraped(scene: Scene, promtool: Path) -> None:
    """Names, units and help as Prometheus wants them, of the worker and of a job it ran."""
    done = await scene.stage.enqueue(("demo#notify", {"message": "hi"}))
    await scene.stage.until_state(done, "succeeded")
    address = f"http://127.0.0.1:{port_in(scene.worker.log())}/metrics"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        text = await answer.read()
    assert b"imbi_worker_action_duration_seconds_bucket" in text
    process = await asyncio.create_subprocess_exec(
        *(promtool, "check", "metrics"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(text)
    assert (process.returncode, said) == (0, b"")


async def _holds(scene: Scene, expression: str) -> bool:
    return bool(await scene.metrics.query(expression))
