"""One scene for all tests of canaries: every leak has happened when the first of them looks."""

import asyncio
from collections.abc import Iterator

import pytest
from canaries import Canaries
from scene import (
    Scene,
    environment,
    free_port,
    install,
    protected,
    seed,
    start_from_files,
    ways,
)

from graph_nodes import remove_nodes
from imbi_worker.embedded import Valkey
from imbi_worker.graph import GraphAddress


@pytest.fixture(scope="session")
def scene(_graph_server: GraphAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two workers, one with JSON lines and one with text, have run every leak; both still run."""
    folder = tmp_path_factory.mktemp("canary")
    canaries = Canaries(graph_password=_graph_server.password.get_secret_value())
    install(folder / "site")
    seed(_graph_server, canaries)
    port = str(free_port())
    server = Valkey(settings={"port": port, "bind": "127.0.0.1"}).start()
    try:
        protected(server.url, canaries.redis_password)
        url = f"redis://:{canaries.redis_password}@127.0.0.1:{port}/0"
        with environment(_graph_server, canaries, url, folder / "site") as given:
            scene = Scene(canaries, given, folder, url)
            try:
                _leak_everything(scene)
                yield scene
            finally:
                for process in scene.processes.values():
                    process.child.kill()
                    process.child.wait()
    finally:
        server.stop()
        asyncio.run(remove_nodes(_graph_server))


def _leak_everything(scene: Scene) -> None:
    for style in ("json", "text"):
        scene.start(
            style,
            "run",
            IMBI_WORKER_LOG_FORMAT=style,
            IMBI_WORKER_HEARTBEAT_FILE=str(scene.folder / f"{style}.heartbeat"),
        )
        scene.enqueue(style, ways())
        scene.until_ended(style)
        if style == "json":
            assert scene.processes[style].stop() == 0
    start_from_files(scene)
