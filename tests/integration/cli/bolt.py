"""The graph of a test that is not asynchronous, as the commands it runs are not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from imbi_worker.graph import GraphAddress, Neo4jGraph

Found = TypeVar("Found")


class Bolt:
    """Each call opens the graph for itself."""

    def __init__(self, address: GraphAddress) -> None:
        self.address = address

    def do(self, work: Callable[[Neo4jGraph], Awaitable[Found]]) -> Found:
        async def main() -> Found:
            graph = Neo4jGraph.at(self.address)
            try:
                return await work(graph)
            finally:
                await graph.close()

        return asyncio.run(main())

    def is_configured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on the settings lead here."""
        monkeypatch.setenv("NEO4J_URL", self.address.url)
        monkeypatch.setenv("NEO4J_USER", self.address.user or "")
        monkeypatch.setenv("NEO4J_PASSWORD", self.address.password.get_secret_value())
        monkeypatch.setenv("NEO4J_DATABASE", self.address.database)
