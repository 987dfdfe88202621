"""A plugin written for Imbi in a real worker process, with and without an imbi-common there."""

import json
from collections.abc import AsyncIterator

import pytest
from installation import Installation

from acceptance.stage import SERVICE_TOKEN, Stage
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.event import event_context
from imbi_sdk.queue import JobContext, Target, WebhookRule
from imbi_worker.graph import GraphAddress, Neo4jGraph
from imbi_worker.graph.seed import Seed, SeedPlugin, SeedService, plant


async def plant_theirs(address: GraphAddress, key: str) -> None:
    """The plugin ``theirs`` on a service of its own, with a credential."""
    blob = TokenEncryption(key).encrypt(json.dumps({"api_token": SERVICE_TOKEN}))
    service = SeedService("sonar", "https://sonar.test", (SeedPlugin("p-9", "theirs", blob),))
    adapter = Neo4jGraph.at(address)
    await plant(adapter, Seed("org", services=(service,)))
    await adapter.close()


@pytest.fixture
async def stage(
    redis_url: str, graph_address: GraphAddress, encryption_key: str
) -> AsyncIterator[Stage]:
    async with Stage(redis_url, graph_address, encryption_key) as stage:
        await plant_theirs(graph_address, encryption_key)
        yield stage


@pytest.mark.parametrize(
    ("world", "context"),
    [("world_one", "imbi_sdk.context"), ("world_two", "imbi_common.plugins.base")],
)
async def test_an_action_runs_in_the_worker(
    world: str,
    context: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    stage: Stage,
) -> None:
    """From the queue to the last line of the plugin, credential and context included."""
    site: Installation = request.getfixturevalue(world)
    monkeypatch.setenv("PYTHONPATH", str(site.root))
    note = site.root / "note.json"
    event = event_context(
        event_type="push", service="sonar", webhook_id="w1", headers={}, payload={"n": 1}
    )
    await stage.worker()
    enqueued = await stage.queue.enqueue_delivery(
        delivery="d9",
        webhook_id="w1",
        event=event,
        rules=[
            WebhookRule(
                handler="theirs#act",
                ordinal=1,
                handler_config=json.dumps({"note": str(note)}),
            )
        ],
        targets=[Target(JobContext(project_id="p0", project_slug="p0", org_slug="org"))],
        plugin_ids={"theirs": "p-9"},
    )
    await stage.until_state(enqueued, "succeeded")
    assert json.loads(note.read_text()) == {
        "context": context,
        "project": "p0",
        "resolver": True,
        "options": ["service_endpoint", "service_slug"],
        "credentials": ["api_token"],
        "event": event,
    }
