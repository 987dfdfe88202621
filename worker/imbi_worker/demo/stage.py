"""Everything the demo plays on: servers, a small Imbi, its stand-in API, workers."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from arq.connections import ArqRedis
from cryptography.fernet import Fernet
from pydantic import SecretStr

from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.queue import ActionQueue, Signer, keys
from imbi_worker.demo.cancellation import cancellable
from imbi_worker.demo.crew import Crew, CrewError
from imbi_worker.demo.imbi_api import ImbiApi
from imbi_worker.demo.names import GITHUB, ORGANIZATION, PAGERDUTY, PROJECTS, SONARQUBE
from imbi_worker.embedded import Servers, embedded_servers
from imbi_worker.embedded.child import Child
from imbi_worker.graph import GraphAddress, Neo4jGraph
from imbi_worker.graph.seed import Seed, SeedPlugin, SeedProject, SeedService, plant
from imbi_worker.queue import connect
from imbi_worker.queue.inspection import Inspection

WORKERS: Final = 3
_TEAM: Final = "pilots"
_ONES_OWN: Final = ("IMBI_", "ACTIONS_IMBI_", "NEO4J_", "REDIS_URL", "VALKEY_URL")
_NUMBERS: Final = {
    "IMBI_WORKER_GRACE": "1s",
    "IMBI_WORKER_DRAIN": "2s",
    "IMBI_WORKER_LOG_FORMAT": "text",
}
_READY_WITHIN: Final = timedelta(seconds=30)
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Secrets:
    """What this one demo uses, made up anew and forgotten with it."""

    encryption_key: SecretStr = field(
        default_factory=lambda: SecretStr(Fernet.generate_key().decode())
    )
    signing_key: SecretStr = field(default_factory=lambda: SecretStr(secrets.token_hex(32)))
    api_token: SecretStr = field(default_factory=lambda: SecretStr(secrets.token_urlsafe(24)))
    service_token: SecretStr = field(default_factory=lambda: SecretStr(secrets.token_urlsafe(24)))


@dataclass(frozen=True, slots=True)
class Stage:
    """*settings* is what the workers are given beside the environment of this process."""

    redis: ArqRedis
    inspection: Inspection
    queue: ActionQueue
    api: ImbiApi
    crew: Crew
    directory: Path
    settings: Mapping[str, str] = field(repr=False)


@asynccontextmanager
async def set_up(numbers: Mapping[str, str]) -> AsyncIterator[Stage]:
    """The stage with *numbers* as settings of its workers, who have all said that they are there.

    Nothing is left afterwards: no process, no file.

    :raises imbi_worker.embedded.EmbeddedServerError: a server is not installed or does not start
    :raises CrewError: a worker does not start
    """
    own = Secrets()
    async with AsyncExitStack() as stack:
        # Its keeper removes the directory even when this process is killed.
        home = Child("The demo")
        stack.callback(home.close)
        home.open()
        servers = await stack.enter_async_context(embedded_servers())
        api = ImbiApi(token=own.api_token, service_token=own.service_token)
        await stack.enter_async_context(api)
        settings = {**_settings(servers, api, own), **_NUMBERS, **numbers}
        crew = await Crew.start(WORKERS, {**_inherited(), **settings}, home.directory)
        stack.push_async_callback(crew.stop)
        redis = connect(SecretStr(settings["REDIS_URL"]), queue=keys.QUEUE)
        stack.push_async_callback(redis.aclose)
        await _furnish(_graph_address(servers), api, own)
        stage = Stage(
            redis=redis,
            inspection=Inspection(redis),
            queue=ActionQueue(redis, signer=Signer([own.signing_key])),
            api=api,
            crew=crew,
            directory=home.directory,
            settings=settings,
        )
        await cancellable(_until_ready(stage))
        yield stage


def _graph_address(servers: Servers) -> GraphAddress:
    if servers.graph is None:
        raise AssertionError("both servers were asked for")
    return servers.graph


def _settings(servers: Servers, api: ImbiApi, own: Secrets) -> dict[str, str]:
    graph = _graph_address(servers)
    return {
        "REDIS_URL": servers.redis_url or "",
        "NEO4J_URL": graph.url,
        "NEO4J_USER": graph.user or "",
        "NEO4J_PASSWORD": graph.password.get_secret_value(),
        "NEO4J_DATABASE": graph.database,
        "ACTIONS_IMBI_URL": api.url,
        "ACTIONS_IMBI_TOKEN": own.api_token.get_secret_value(),
        "IMBI_AUTH_ENCRYPTION_KEY": own.encryption_key.get_secret_value(),
        "IMBI_WORKER_SIGNING_KEY": own.signing_key.get_secret_value(),
    }


def _inherited() -> dict[str, str]:
    """This process's environment without anything that names servers or settings of yours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_ONES_OWN)}


async def _furnish(address: GraphAddress, api: ImbiApi, own: Secrets) -> None:
    """A small Imbi: one organization, three services with a plugin each, three projects."""
    for project in PROJECTS:
        api.add_project(ORGANIZATION, project, slug=project)
    encryption = TokenEncryption(own.encryption_key)
    blob = encryption.encrypt(json.dumps({"api_token": own.service_token.get_secret_value()}))
    integrations = {"github": (GITHUB, blob), "pagerduty": (PAGERDUTY, blob)}
    integrations["sonarqube"] = (SONARQUBE, None)
    seed = Seed(
        organization=ORGANIZATION,
        teams=(_TEAM,),
        services=tuple(
            SeedService(slug, api.service_endpoint, (SeedPlugin(plugin_id, "demo", secret),))
            for slug, (plugin_id, secret) in integrations.items()
        ),
        projects=tuple(
            SeedProject(project, project, _TEAM, {"github": f"{ORGANIZATION}/{project}"})
            for project in PROJECTS
        ),
    )
    graph = Neo4jGraph.at(address)
    try:
        await plant(graph, seed)
    finally:
        await graph.close()


async def _until_ready(stage: Stage) -> None:
    try:
        async with asyncio.timeout(_READY_WITHIN.total_seconds()):
            while len(await stage.inspection.workers()) < WORKERS:
                stage.crew.check()
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        seconds = f"{_READY_WITHIN.total_seconds():g}"
        words = stage.crew.last_words()
        raise CrewError(f"not all workers were there within {seconds} s.\n{words}") from None
