"""Servers, two workers and a dashboard, all full of canaries; every leak happens in each worker."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis as sync_redis
from canaries import Canaries
from pydantic import SecretStr
from redis.asyncio import Redis

import installing
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.queue import ActionQueue, JobContext, Signer, Target, WebhookRule, keys
from imbi_worker.graph import GraphAddress, Neo4jGraph
from imbi_worker.graph.seed import (
    Seed,
    SeedApplication,
    SeedPlugin,
    SeedProject,
    SeedService,
    plant,
)

PLUGIN = Path(__file__).parent / "plugin"
COMMAND = str(Path(sys.executable).parent / "imbi-worker")
# For a busy machine; a quiet one needs a tenth of it.
WITHIN = 150.0
CREDENTIALS = ("api_token", "private_key")
ENDED = {b"succeeded", b"skipped", b"dead", b"cancelled"}
Found = TypeVar("Found")


@dataclass(frozen=True)
class Process:
    """A command of ours that runs; its two outputs go to files."""

    child: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def said(self) -> bytes:
        return self.out.read_bytes() + self.err.read_bytes()

    def stop(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(timeout=30)


@dataclass
class Scene:
    """*environment* leads a command here; *jobs* are ids by worker, way and whose secret."""

    canaries: Canaries
    environment: Mapping[str, str]
    folder: Path
    redis_url: str
    jobs: dict[tuple[str, str, str], str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)

    def start(self, name: str, *arguments: str, **changes: str) -> Process:
        out, err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            child = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, *arguments],
                env={**self.environment, **changes},
                stdout=stdout,
                stderr=stderr,
            )
        self.processes[name] = Process(child, out, err)
        return self.processes[name]

    def do(self, work: Callable[[Redis], Awaitable[Found]]) -> Found:
        async def main() -> Found:
            async with Redis.from_url(self.redis_url) as redis:
                return await work(redis)

        return asyncio.run(main())

    def enqueue(self, delivery: str, wishes: list[tuple[str, str]]) -> None:
        """One job for each way and owner of a secret, in a lane of its own."""

        async def work(redis: Redis) -> None:
            signer = Signer([SecretStr(self.canaries.signing_key)])
            for nth, (way, of) in enumerate(wishes):
                slug, plugin = ("leaky", "p-leaky")
                if of == "client_secret":
                    slug, plugin = "leaky-app", "p-app"
                config = {"way": way, "of": of, "api_token": self.canaries.config}
                done = await ActionQueue(redis, signer=signer).enqueue_delivery(
                    delivery=f"{delivery}-{nth}",
                    webhook_id="webhook-1",
                    event=event(self.canaries),
                    rules=[
                        WebhookRule(
                            handler=f"{slug}#leak", ordinal=0, handler_config=json.dumps(config)
                        )
                    ],
                    targets=[Target(context(f"p-{nth}"))],
                    plugin_ids={slug: plugin},
                )
                self.jobs[delivery, way, of] = done.jobs[0].id

        self.do(work)

    def until_ended(self, delivery: str) -> None:
        """Returns once every job of *delivery* is in a terminal state."""
        wanted = {id_: key for key, id_ in self.jobs.items() if key[0] == delivery}
        ends = time.monotonic() + WITHIN
        while wanted:
            states = self.do(partial(states_of, ids=list(wanted)))
            wanted = {id_: wanted[id_] for id_, state in states.items() if state not in ENDED}
            if time.monotonic() > ends:
                pytest.fail(f"not ended within {WITHIN} s: {list(wanted.values())[:9]}")
            time.sleep(0.1)  # a poll of a condition, from a synchronous fixture


def start_from_files(scene: Scene) -> None:
    """A third worker, which is told its secrets by files alone; it runs nothing."""
    names = (
        *("REDIS_URL", "NEO4J_PASSWORD", "IMBI_WORKER_SIGNING_KEY", "ACTIONS_IMBI_TOKEN"),
        "IMBI_AUTH_ENCRYPTION_KEY",
    )
    given = {name: value for name, value in scene.environment.items() if name not in names}
    for name in names:
        path = scene.folder / name
        path.write_text(scene.environment[name])
        path.chmod(0o600)
        given[f"{name}_FILE"] = str(path)
    Scene(scene.canaries, given, scene.folder, scene.redis_url, processes=scene.processes).start(
        "files", "run", IMBI_WORKER_QUEUE="imbi:another-queue"
    )
    ends = time.monotonic() + WITHIN
    while b"worker.started" not in scene.processes["files"].said:
        assert time.monotonic() < ends, scene.processes["files"].said
        time.sleep(0.1)


def context(project: str) -> JobContext:
    return JobContext(project_id=project, project_slug=project, org_slug="org")


def until_nothing_waits(scene: Scene) -> None:
    """Whatever was asked before, here or in another order: the queue goes on, to its end."""
    command = [COMMAND, "queue", "resume", "--reason", "a look"]
    environment = dict(scene.environment)
    subprocess.run(command, env=environment, check=False, capture_output=True, timeout=150)  # noqa: S603 - our own command
    ends = time.monotonic() + WITHIN
    while scene.do(waiting):
        assert time.monotonic() < ends
        time.sleep(0.1)


async def waiting(redis: Redis) -> int:
    return int(await redis.zcard(keys.QUEUE))


async def states_of(redis: Redis, ids: list[str]) -> dict[str, bytes | None]:
    return {id_: await redis.hget(f"{keys.JOB}{id_}", "state") for id_ in ids}


def event(canaries: Canaries) -> dict[str, Any]:
    """As a careless gateway hands it over: no header taken out."""
    return {
        "type": "push",
        "third_party_service": "leaky-service",
        "attributed_to": "",
        "metadata": {
            "webhook_id": "webhook-1",
            "headers": {
                "authorization": f"Bearer {canaries.header}",
                "X-Api-Key": canaries.header,
                "x-api-key": canaries.header,
                "cookie": f"session={canaries.header}",
            },
        },
        "payload": {"ref": "main", "password": canaries.payload},
    }


def ways() -> list[tuple[str, str]]:
    """Every way to leak with every secret that an action can get hold of."""
    source = (PLUGIN / "leaky.py").read_text(encoding="utf-8")
    table = source.partition("LEAKS: ")[2].partition("\n}")[0]
    names = re.findall(r'^    "([\w ]+)":', table, re.MULTILINE)
    owners = (*CREDENTIALS, "client_secret", "config", "header", "login")
    return [(way, of) for way in names for of in owners]


def install(site: Path) -> None:
    """Puts the leaky plugin there."""
    source = (PLUGIN / "leaky.py").read_text(encoding="utf-8")
    points = {"leaky": "leaky:Leaky", "leaky-app": "leaky:LeakyApplication"}
    installing.install(site, "imbi-leaky", points, modules={"leaky": source})


def seed(graph: GraphAddress, canaries: Canaries) -> None:
    encryption = TokenEncryption(canaries.encryption_key)
    blob = encryption.encrypt(
        json.dumps({"api_token": canaries.token, "private_key": canaries.private_key})
    )
    application = SeedApplication("app", "client-1", encryption.encrypt(canaries.client_secret))
    plugins = (
        SeedPlugin("p-leaky", "leaky", blob),
        SeedPlugin("p-app", "leaky-app", application=application),
    )
    service = SeedService("leaky-service", "https://service.example", plugins)

    async def work() -> None:
        adapter = Neo4jGraph.at(graph)
        await plant(adapter, Seed("org", ("team",), (service,), (SeedProject("p", "p", "team"),)))
        await adapter.close()

    asyncio.run(work())


def protected(socket_url: str, password: str) -> None:
    """Ask for a password from now on; no command line has it."""
    with sync_redis.Redis.from_url(socket_url) as client:
        client.config_set("requirepass", password)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def environment(
    graph: GraphAddress, canaries: Canaries, redis_url: str, site: Path
) -> Iterator[dict[str, str]]:
    """What every command is given."""
    ours = ("IMBI_", "NEO4J_", "ACTIONS_", "REDIS_", "VALKEY_", "PORT", "OTEL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    yield {
        **kept,
        "PYTHONPATH": str(site),
        "REDIS_URL": redis_url,
        "NEO4J_URL": graph.url,
        "NEO4J_USER": graph.user or "",
        "NEO4J_PASSWORD": canaries.graph_password,
        "NEO4J_DATABASE": graph.database,
        "IMBI_AUTH_ENCRYPTION_KEY": canaries.encryption_key,
        "IMBI_WORKER_SIGNING_KEY": f"{canaries.signing_key},{canaries.old_signing_key}",
        "ACTIONS_IMBI_URL": "http://127.0.0.1:1",
        "ACTIONS_IMBI_TOKEN": canaries.imbi_token,
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "IMBI_WORKER_BACKOFF": "100ms",
        "IMBI_WORKER_MAX_ATTEMPTS": "2",
        "IMBI_WORKER_LOG_LEVEL": "debug",
        "IMBI_WORKER_METRICS_PORT": "0",
    }
