"""Redis and the graph, as the settings name them; each connects when it is used."""

from arq.connections import ArqRedis

from imbi_worker import graph, queue
from imbi_worker.settings import Settings, SettingsError


def open_redis(settings: Settings) -> ArqRedis:
    """A pool that connects when it is used. :raises SettingsError: no address is set."""
    if settings.redis_url is None:
        raise SettingsError(
            "REDIS_URL: is not set; name a Redis, or try `imbi-worker run --embedded`"
        )
    return queue.connect(settings.redis_url, queue=settings.queue)


def open_graph(settings: Settings) -> "graph.Neo4jGraph":
    """Neo4j itself, for what only it offers. :raises SettingsError: no address is set."""
    return graph.Neo4jGraph.at(_graph_address(settings))


def open_store(settings: Settings) -> "graph.OpenGraph":
    """The graph of the adapter the settings name; it connects when it is used.

    :raises SettingsError: no address is set, or no such adapter is installed
    """
    address = _graph_address(settings)
    try:
        adapter = graph.find_adapter(settings.graph)
    except graph.UnknownStore as error:
        raise SettingsError(f"IMBI_WORKER_GRAPH: {error}") from None
    return adapter(address.url, address.user, address.password, address.database)


def _graph_address(settings: Settings) -> "graph.GraphAddress":
    if settings.neo4j_url is None:
        raise SettingsError(
            "NEO4J_URL: is not set; name a graph, or try `imbi-worker run --embedded`"
        )
    return graph.GraphAddress(
        settings.neo4j_url,
        settings.neo4j_user or None,
        settings.neo4j_password,
        settings.neo4j_database,
    )
