"""The chart's pods really run, with what the chart gives them and nothing else."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from charts import Document, deployment, merged, named, of_kind, render, values_of
from kubelet import Pod, get

from imbi_worker.dashboard.access import Role, make_token
from imbi_worker.graph import GraphAddress

SCALING_TOKEN, KEPT = make_token("keda", Role.VIEWER)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def documents(graph_address: GraphAddress) -> list[Document]:
    """The smallest example beside the tests' servers, scaled by KEDA."""
    changes: dict[str, Any] = {
        "settings": {
            "NEO4J_URL": graph_address.url,
            "NEO4J_USER": graph_address.user,
            "NEO4J_DATABASE": graph_address.database,
        },
        "worker": {"metricsPort": _free_port()},
        "dashboard": {"port": _free_port(), "metricsPort": _free_port()},
        "autoscaling": {"kind": "keda", "minReplicas": 1},
    }
    return render(merged(values_of("smallest"), changes))


@pytest.fixture
def secret(redis_url: str, graph_address: GraphAddress, encryption_key: str) -> dict[str, str]:
    """The operator's Secret."""
    return {
        "REDIS_URL": redis_url,
        "IMBI_AUTH_ENCRYPTION_KEY": encryption_key,
        "IMBI_WORKER_SIGNING_KEY": "0" * 64,
        "NEO4J_PASSWORD": graph_address.password.get_secret_value(),
        "IMBI_WORKER_DASHBOARD_TOKENS": str(KEPT),
        "SCALING_TOKEN": SCALING_TOKEN,
    }


@asynccontextmanager
async def _running(pod: Pod) -> AsyncIterator[Pod]:
    await pod.start()
    try:
        await pod.ready()
        yield pod
    finally:
        assert await pod.terminate() == 0, pod.log()


def _of(documents: list[Document], component: str) -> Document:
    return dict(deployment(documents, component)["spec"]["template"]["spec"])


async def test_a_fleet_comes_up_is_scaled_tested_and_goes(
    documents: list[Document], secret: dict[str, str], tmp_path: Path
) -> None:
    """Probes pass; KEDA's question is answered; `helm test` passes; SIGTERM ends both in time."""
    worker = Pod(documents, _of(documents, "worker"), secret, tmp_path)
    dashboard = Pod(documents, _of(documents, "dashboard"), secret, tmp_path)
    async with _running(worker), _running(dashboard):
        assert "imbi_worker_slots 100.0" in get(worker.port("metrics"), "/metrics")[1]
        assert "imbi_queue_up" in get(dashboard.port("metrics"), "/metrics")[1]

        (trigger,) = of_kind(documents, "ScaledObject")[0]["spec"]["triggers"]
        (login,) = of_kind(documents, "TriggerAuthentication")[0]["spec"]["secretTargetRef"]
        asked = urlsplit(trigger["metadata"]["url"])
        assert asked.port == dashboard.port("http")
        assert get(asked.port, asked.path)[0] == 401
        status, text = get(asked.port, asked.path, secret[login["key"]])
        assert (status, json.loads(text)[trigger["metadata"]["valueLocation"]]) == (200, 0)

        check = Pod(
            documents, named(documents, "Pod", "demo-imbi-worker-check")["spec"], secret, tmp_path
        )
        await check.start()
        assert await check.ended(60) == 0, check.log()


@pytest.mark.parametrize("component", ["worker", "dashboard"])
async def test_a_redis_that_is_away_restarts_no_pod(
    component: str, documents: list[Document], secret: dict[str, str], tmp_path: Path
) -> None:
    """One that starts meanwhile is alive and not ready; SIGTERM ends it in time."""
    away = secret | {"REDIS_URL": f"redis://127.0.0.1:{_free_port()}/0"}
    pod = Pod(documents, _of(documents, component), away, tmp_path)
    await pod.start()
    try:
        await pod.alive()
        assert not pod.passes("readinessProbe")
        assert pod.passes("livenessProbe")
    finally:
        assert await pod.terminate() == 0, pod.log()


async def test_helm_test_fails_where_no_worker_is(
    documents: list[Document], secret: dict[str, str], tmp_path: Path
) -> None:
    spec = named(documents, "Pod", "demo-imbi-worker-check")["spec"]
    check = Pod(documents, spec, secret, tmp_path)
    await check.start()
    assert await check.ended(60) == 1
    assert "fleet" in check.log()
