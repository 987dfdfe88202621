"""One property of a node, replaced only if it is still what its reader saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imbi_worker.graph.connection import Connection, Row, Transaction, rows


class NoSuchNode(LookupError):  # noqa: N818 - reads as what it is at the call
    """The node is not there, or not any more."""


@dataclass(frozen=True, slots=True)
class StoredText:
    """*node* is a MATCH that binds ``n``, with *parameters*; *name* is the property."""

    node: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    async def replace(self, connection: Connection, *, expected: Any, new: str | None) -> bool:
        """Write *new* in one atomic step; False when another writer was first.

        :raises NoSuchNode: there is nothing to write to
        """

        async def compare_and_set(transaction: Transaction) -> bool:
            # Looked at before the lock too: a loser that writes nothing is in nobody's way.
            for look in (self._look(), self._lock()):
                found = await self._rows(transaction, look)
                if not found:
                    raise NoSuchNode
                if found[0]["stored"] != expected:
                    return False
            await self._rows(transaction, f"{self.node} SET n.{self.name} = $new", new=new)
            return True

        return await connection.write(compare_and_set)

    def _look(self) -> str:
        return f"{self.node} RETURN n.{self.name} AS stored"

    def _lock(self) -> str:
        # The property locks the node before its text is read: under Neo4j's read-committed
        # isolation two writers could otherwise both find what they expect. It is gone at the
        # commit.
        lock = "SET n.imbi_write_lock = true REMOVE n.imbi_write_lock"
        return f"{self.node} {lock} RETURN n.{self.name} AS stored"

    async def _rows(self, transaction: Transaction, query: str, **more: Any) -> list[Row]:
        return await rows(transaction, query, **self.parameters, **more)
