"""The image that tests/image/run built; without it these tests are skipped, in words."""

import json
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from container import Image
from cryptography.fernet import Fernet

from acceptance.stage import Stage
from imbi_worker.embedded import Valkey
from imbi_worker.graph import GraphAddress


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "IMAGE_ROOT" in os.environ:
        return
    away = pytest.mark.skip(reason="the image is built by `make test-image`, which runs it")
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(away)


@pytest.fixture
def image() -> Iterator[Image]:
    """The image's files and what it says of itself; what was started of it ends with the test."""
    told = json.loads(os.environ["IMAGE_CONFIG"])["Docker"]["config"]
    with Image(Path(os.environ["IMAGE_ROOT"]), told) as image:
        yield image


@pytest.fixture
def redis_address() -> Iterator[str]:
    """A Redis on a port: the embedded one's own socket is not in the image."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Valkey(settings={"port": str(port)}).start()
    yield f"redis://127.0.0.1:{port}/0"
    server.stop()


@pytest.fixture
async def stage(redis_address: str, graph_address: GraphAddress) -> AsyncIterator[Stage]:
    """Projects, an integration and an API, for workers that come out of the image."""
    async with Stage(redis_address, graph_address, Fernet.generate_key().decode()) as stage:
        yield stage


@pytest.fixture
def settings(stage: Stage) -> dict[str, str]:
    """What an operator sets, and nothing else of this machine's environment."""
    ours = re.compile("IMBI_|ACTIONS_|NEO4J_|REDIS_URL")
    return {name: value for name, value in stage.environment().items() if ours.match(name)}
