"""The nodes of a graph, counted and removed."""

from imbi_worker.graph import GraphAddress, Neo4jGraph
from imbi_worker.graph.connection import Transaction, rows


async def count_nodes(address: GraphAddress) -> int:
    adapter = Neo4jGraph.at(address)
    try:
        return int((await adapter.connection.read("MATCH (n) RETURN count(n) AS n"))[0]["n"])
    finally:
        await adapter.close()


async def remove_nodes(address: GraphAddress) -> None:
    async def work(transaction: Transaction) -> None:
        await rows(transaction, "MATCH (n) DETACH DELETE n")

    adapter = Neo4jGraph.at(address)
    try:
        await adapter.connection.write(work)
    finally:
        await adapter.close()
