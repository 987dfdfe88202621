"""The tools that tests/deploy/run fetches; without it their tests are skipped, in words."""

import os
from pathlib import Path

import pytest

MARKER = "needs_deploy_tools"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "DEPLOY_TOOLS" in os.environ:
        return
    away = pytest.mark.skip(reason="its tools are fetched by `make test-deploy`, which runs it")
    for item in items:
        if item.get_closest_marker(MARKER):
            item.add_marker(away)


def _tool(name: str) -> Path:
    path = Path(os.environ["DEPLOY_TOOLS"], name)
    if not path.exists():
        pytest.fail(f"{path} is missing: remove .deploy-tools and run `make test-deploy`")
    return path


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker of rules, and the runner of their tests."""
    return _tool("bin/promtool")


@pytest.fixture(scope="session")
def prometheus_server() -> Path:
    """Prometheus itself."""
    return _tool("bin/prometheus")


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """For `kubectl kustomize`, which asks no cluster."""
    return _tool("bin/kubectl")


@pytest.fixture(scope="session")
def helm_cli() -> Path:
    """The command an operator types; most tests use the same code as a library."""
    return _tool("bin/helm")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The models of custom resources: run Node.js in the folder above."""
    return _tool("node_modules")
