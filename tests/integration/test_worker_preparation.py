"""A worker loads before it claims: no job waits for an import."""

import asyncio
import json
import sys
from typing import Any

from pydantic import SecretStr

from imbi_sdk.queue import ActionQueue, JobContext, Signer, Target, WebhookRule, keys
from imbi_worker.demo.imbi_api import ImbiApi
from imbi_worker.queue import connect

SIGNING_KEY = "a signing key for tests only"
TOKEN = "a-token-for-tests-only"
# Opens a worker from its settings, lets it work the queue off, and tells what that has loaded.
WORKER = """
import asyncio, json, sys
from imbi_sdk.attempt import Redactor
from imbi_worker import wiring
from imbi_worker.settings import Settings

async def main():
    async with wiring.worker(Settings.load(), Redactor(), is_burst=True) as opened:
        before = set(sys.modules)
        await opened.engine.async_run()
        after = set(sys.modules)
    print(json.dumps({"before": sorted(before), "during": sorted(after - before)}))

asyncio.run(main())
"""
STANDARD = sys.stdlib_module_names
SHA = "substring(payload.deployment.sha, 0, 7)"
RULES: dict[str, Any] = {
    "update_project": [{"path": "/name", "from": "/payload/deployment/ref"}],
    "create_release": {"title_selector": "/payload/deployment/ref", "committish_expression": SHA},
    "add_deployment_event": {
        "environment_selector": "/payload/environment",
        "committish_expression": SHA,
        "status_selector": "/payload/state",
    },
}


async def test_running_a_built_in_action_imports_nothing(redis_url: str) -> None:
    """What actions need and a catalogue does not is there before the first job."""
    redis = connect(SecretStr(redis_url), queue=keys.QUEUE)
    async with redis, ImbiApi(token=SecretStr(TOKEN)) as api:
        api.add_project("acme", "p-1")
        enqueued = await ActionQueue(
            redis, signer=Signer([SecretStr(SIGNING_KEY)])
        ).enqueue_delivery(
            delivery="d-1",
            webhook_id="w-1",
            event={
                "type": "deployment_status",
                "third_party_service": "github",
                "attributed_to": "",
                "metadata": {"webhook_id": "w-1", "headers": {}},
                "payload": {
                    "deployment": {"ref": "v1.2.3", "sha": "abcdef1234567890"},
                    "environment": "production",
                    "state": "success",
                },
            },
            rules=[
                WebhookRule(
                    handler=f"gateway-actions#{action}",
                    ordinal=nth,
                    handler_config=json.dumps(config),
                )
                for nth, (action, config) in enumerate(RULES.items())
            ],
            targets=[Target(JobContext(project_id="p-1", project_slug="p-1", org_slug="acme"))],
        )
        loaded = await told_by_a_worker(redis_url, api.url)
        states = [await redis.hget(f"{keys.JOB}{job.id}", "state") for job in enqueued.jobs]
    assert states == [b"succeeded"] * len(RULES)
    assert {"aiohttp", "celpy", "neo4j"} <= set(loaded["before"])
    # The engine reads its scripts as it begins to claim.
    late = [name for name in loaded["during"] if name.partition(".")[0] not in STANDARD]
    assert late in ([], ["imbi_worker.queue.scripts"])


async def told_by_a_worker(redis_url: str, api_url: str) -> dict[str, list[str]]:
    environment = {
        "REDIS_URL": redis_url,
        "NEO4J_URL": "bolt://127.0.0.1:1",
        "IMBI_AUTH_ENCRYPTION_KEY": "A" * 43 + "=",
        "IMBI_WORKER_SIGNING_KEY": SIGNING_KEY,
        "ACTIONS_IMBI_URL": api_url,
        "ACTIONS_IMBI_TOKEN": TOKEN,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, stdout=asyncio.subprocess.PIPE, env=environment
    )
    told, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, told
    # The worker's own log goes to stdout as well.
    found: dict[str, list[str]] = json.loads(told.decode().splitlines()[-1])
    return found
