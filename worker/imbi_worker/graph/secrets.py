"""Every secret that the worker reads, one after the other: what a change of keys needs.

The places are the properties ``Plugin.plugin_configuration`` and
``ServiceApplication.client_secret``. Nodes are told apart by the database's own id: an
application's slug is unique in its organization only, and nothing obliges a graph to have the
constraint on a plugin's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from imbi_worker.graph.plugins import Neo4jGraph
from imbi_worker.graph.stored_text import NoSuchNode, StoredText

Place: TypeAlias = Literal["Plugin", "ServiceApplication"]


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """One stored secret. *name* is the plugin's id or the application's slug.

    *node* is the database's id of the node, good for as long as the node is there.
    *ciphertext* is empty when the secret has been removed, and None when what is stored is no
    text at all.
    """

    place: Place
    node: str
    name: str
    ciphertext: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Column:
    label: Place
    name: str
    secret: str

    @property
    def nodes(self) -> str:
        """Those that have a secret; of any type, since somebody may have stored anything."""
        return f"MATCH (n:{self.label}) WHERE n.{self.secret} IS NOT NULL AND n.{self.secret} <> ''"

    @property
    def node(self) -> str:
        return f"MATCH (n:{self.label}) WHERE elementId(n) = $node"

    @property
    def columns(self) -> str:
        return f"RETURN elementId(n) AS node, n.{self.name} AS name, n.{self.secret} AS stored"


PLACES: Final[tuple[Place, ...]] = ("Plugin", "ServiceApplication")
_COLUMNS: Final = {
    "Plugin": _Column("Plugin", "id", "plugin_configuration"),
    "ServiceApplication": _Column("ServiceApplication", "slug", "client_secret"),
}


class Neo4jSecrets:
    """The secrets of a graph. Errors are those of ``Neo4jGraph``."""

    def __init__(self, graph: Neo4jGraph) -> None:
        self._connection = graph.connection

    async def count(self) -> int:
        """How many there are, in all places."""
        found = [
            await self._connection.read(f"{_COLUMNS[place].nodes} RETURN count(n) AS count")
            for place in PLACES
        ]
        return sum(int(rows[0]["count"]) for rows in found)

    async def page(
        self, place: Place, *, after: str | None = None, limit: int
    ) -> Sequence[StoredSecret]:
        """At most *limit* secrets, from the first on or from behind the node *after*.

        The order means nothing and stays: no secret that is there all the time is left out
        or given twice.
        """
        column = _COLUMNS[place]
        query = (
            f"{column.nodes} AND elementId(n) > $after {column.columns} ORDER BY node LIMIT $limit"
        )
        found = await self._connection.read(query, after=after or "", limit=limit)
        return [_secret(place, row["node"], row["name"], row["stored"]) for row in found]

    async def current(self, secret: StoredSecret) -> StoredSecret | None:
        """The same secret as it stands now, or None when its node is gone."""
        column = _COLUMNS[secret.place]
        found = await self._connection.read(f"{column.node} {column.columns}", node=secret.node)
        if not found:
            return None
        row = found[0]
        return _secret(secret.place, secret.node, row["name"], row["stored"])

    async def replace(self, secret: StoredSecret, new: str) -> bool:
        """Write *new* if *secret* still stands as it was read; False when it does not."""
        column = _COLUMNS[secret.place]
        text = StoredText(column.node, column.secret, {"node": secret.node})
        try:
            return await text.replace(self._connection, expected=secret.ciphertext, new=new)
        except NoSuchNode:
            return False


def _secret(place: Place, node: str, name: object, stored: object) -> StoredSecret:
    text = "" if stored is None else stored
    # A node without a name can still be found, by the database's id.
    shown = str(name) if name else f"(node {node})"
    return StoredSecret(place, node, shown, text if isinstance(text, str) else None)
