"""A job that kills its worker is found out, and its neighbours do not pay for it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from acceptance.stage import Stage, WorkerProcess
from imbi_sdk.queue import Enqueued
from installing import environment_with, install
from waiting import until

PLUGIN = """
import asyncio, os
from pydantic import BaseModel
from imbi_common.plugins import ActionDescriptor, PluginManifest, WebhookActionPlugin

class Config(BaseModel):
    pill: str = ""

async def act(*, ctx, credentials, external_identifier, action_config, event):
    if ctx.project_id == action_config.pill:
        os._exit(9)
    await asyncio.sleep(0.02)

class Toxic(WebhookActionPlugin):
    manifest = PluginManifest(slug="toxic", name="Toxic", plugin_type="webhook")

    @classmethod
    def actions(cls):
        return [ActionDescriptor(name="act", label="a", callable=act, config_model=Config)]
"""
PILL = "p37"
PROJECTS = tuple(f"p{number}" for number in range(100))


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """What a worker's environment needs to find the plugin."""
    points = {"toxic": "toxic_plugin:Toxic"}
    install(tmp_path, "toxic-plugin", points, modules={"toxic_plugin": PLUGIN})
    return environment_with(tmp_path)


@asynccontextmanager
async def one_worker_after_the_other(
    stage: Stage, environment: dict[str, str]
) -> AsyncIterator[list[WorkerProcess]]:
    """As a Deployment does: whoever dies is replaced."""
    hired: list[WorkerProcess] = []

    async def keep() -> None:
        while True:
            worker = await stage.worker(ready=False, lease="1s", environment=environment)
            hired.append(worker)
            await worker.process.wait()

    keeper = asyncio.create_task(keep())
    try:
        yield hired
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper


def of_project(enqueued: Enqueued, project: str) -> list[str]:
    return [job.id for job in enqueued.jobs if job.project_id == project]


async def test_a_pill_is_buried_alone_and_99_neighbours_succeed(
    stage: Stage, installed: dict[str, str]
) -> None:
    """Twice in company, once alone, then never again; its lane goes on."""
    enqueued = await stage.enqueue(
        ("toxic#act", {"pill": PILL}), ("toxic#act", {}), projects=PROJECTS
    )
    pill, behind = of_project(enqueued, PILL)
    others = [job.id for job in enqueued.jobs if job.id != pill]

    async def all_ended() -> bool:
        states = [(await stage.job(id_))["state"] for id_ in (*others, pill)]
        return set(states) <= {"succeeded", "dead"}

    async with one_worker_after_the_other(stage, installed) as hired:
        await until(all_ended, within=60)
        codes = [worker.process.returncode for worker in hired]
    dead = await stage.job(pill)
    assert (dead["state"], dead["reason"], dead["crashes"]) == ("dead", "poison pill", "3")
    history = [json.loads(dead[f"attempt:1.{number}"]) for number in (1, 2, 3)]
    assert [attempt["outcome"] for attempt in history] == ["crashed"] * 3
    assert len({attempt["worker"] for attempt in history}) == 3
    assert [(await stage.job(id_))["state"] for id_ in others] == ["succeeded"] * len(others)
    assert (await stage.job(behind))["attempts"] == "1"
    assert codes == [9, 9, 9, None]
