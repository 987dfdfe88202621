"""Redis and the graph, as the settings name them; each connects when it is used."""

from pydantic import SecretStr
from redis.asyncio import Redis

from imbi_worker import graph, queue
from imbi_worker.settings import Settings, SettingsError


def open_redis(settings: Settings) -> Redis:
    """A client that connects when it is used. :raises SettingsError: no address is set."""
    return queue.open_client(redis_url(settings))


def redis_url(settings: Settings) -> SecretStr:
    """The address of Redis, with the certificates. :raises SettingsError: none is set."""
    if settings.redis_url is None:
        raise SettingsError(
            "REDIS_URL: is not set; name a Redis, or try `imbi-worker run --embedded`"
        )
    return queue.with_certificates(
        settings.redis_url,
        ca_file=settings.redis_ca_file,
        cert_file=settings.redis_cert_file,
        key_file=settings.redis_key_file,
    )


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
    login = (address.url, address.user, address.password, address.database)
    # An adapter that knows no certificates has to be asked for none.
    return adapter(*login, ca_file=address.ca_file) if address.ca_file else adapter(*login)


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
        settings.neo4j_ca_file,
    )
