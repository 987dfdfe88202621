"""Other stores of plugins, found by entry point.

An adapter is a callable under the entry-point group ``imbi.worker.graphs`` that takes
``url``, ``user`` (or None), ``password`` (SecretStr), ``database``, and by name ``ca_file``
where one is set, and returns an `OpenGraph`. It must pass
``tests/contract/test_graph_contract.py``.
"""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from pydantic import SecretStr

from imbi_sdk.graph import Graph

GROUP = "imbi.worker.graphs"


class OpenGraph(Graph, Protocol):
    """A graph that holds connections."""

    async def close(self) -> None:
        """Give the connections back; idempotent."""
        ...


class Adapter(Protocol):
    """What an entry point of the group names."""

    def __call__(
        self,
        url: str,
        user: str | None,
        password: SecretStr,
        database: str,
        *,
        ca_file: Path | None = None,
    ) -> OpenGraph: ...


class UnknownStore(ValueError):  # noqa: N818 - reads as what it is at the call
    """No installed distribution offers an adapter of that name."""


def find_adapter(name: str) -> Adapter:
    """The adapter *name*, imported now. :raises UnknownStore: naming those there are."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise UnknownStore(
            f"no installed package offers the graph adapter {name!r} (there are: {there}):"
            f" install one with an entry point in {GROUP}"
        )
    return cast("Adapter", found[name].load())
