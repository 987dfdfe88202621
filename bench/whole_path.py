"""The whole path on an action that does nothing: config, credential, context, record, log."""

import json
import os
import time
from typing import Any, ClassVar

from cryptography.fernet import Fernet
from pydantic import BaseModel

from bench.work import fill
from imbi_sdk.attempt import Redactor
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.manifest import CredentialField, PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker import wiring
from imbi_worker.graph import GraphAddress, Neo4jGraph
from imbi_worker.graph.seed import Seed, SeedPlugin, SeedService, plant
from imbi_worker.settings import Settings

HANDLER = "bench#nothing"
CALLS: list[float] = []


class Config(BaseModel):
    label: str = "nothing"


async def nothing(
    *,
    ctx: Any,  # noqa: ARG001 - the contract's keyword
    credentials: dict[str, str],
    external_identifier: str,  # noqa: ARG001 - the contract's keyword
    action_config: Config,  # noqa: ARG001 - the contract's keyword
    event: dict[str, Any],  # noqa: ARG001 - the contract's keyword
) -> None:
    assert credentials["api_token"]
    CALLS.append(time.perf_counter())


class Bench(WebhookActionPlugin):
    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="bench",
        name="Bench",
        plugin_type="webhook",
        credentials=[CredentialField(name="api_token", label="API token")],
    )

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [
            ActionDescriptor(name="nothing", label="Nothing", callable=nothing, config_model=Config)
        ]


async def drain_whole_path(url: str, graph: GraphAddress, jobs: int) -> float:
    """Jobs per second from a full queue to the last call."""
    key = Fernet.generate_key().decode()
    os.environ["IMBI_AUTH_ENCRYPTION_KEY"] = key
    os.environ["IMBI_WORKER_SIGNING_KEY"] = "a signing key of the benchmark"
    settings = Settings.load(
        redis_url=url,
        neo4j_url=graph.url,
        neo4j_user=graph.user or "",
        neo4j_password=graph.password,
        neo4j_database=graph.database,
    )
    adapter = Neo4jGraph.at(graph)
    blob = TokenEncryption(key).encrypt(json.dumps({"api_token": "a-token-of-the-benchmark"}))
    service = SeedService("bench", None, (SeedPlugin("bench-1", "bench", blob),))
    await plant(adapter, Seed("o", services=(service,)))
    await adapter.close()
    async with wiring.worker(settings, Redactor(), is_burst=True, plugins=(Bench,)) as opened:
        redis = wiring.open_redis(settings)
        await redis.flushdb()
        queue = wiring.action_queue(redis, settings)
        await fill(queue, jobs, handler=HANDLER, plugin_id="bench-1")
        CALLS.clear()
        begun = time.perf_counter()
        await opened.engine.async_run()
        assert opened.engine.endings == {"succeeded": jobs}
        await redis.aclose()
    return jobs / (CALLS[-1] - begun)
