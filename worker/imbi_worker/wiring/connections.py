"""Redis and the graph, as the settings name them; each connects when it is used."""

import inspect

from pydantic import SecretStr

from imbi_worker import graph, queue
from imbi_worker.queue import inspection
from imbi_worker.settings import Settings, SettingsError


def open_redis(settings: Settings) -> "inspection.Client":
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
    if address.ca_file is None:
        # An adapter that knows no certificates has to be asked for none.
        _refuse_unfit(adapter, settings.graph, *login)
        return adapter(*login)
    _refuse_unfit(adapter, settings.graph, *login, ca_file=address.ca_file)
    return adapter(*login, ca_file=address.ca_file)


def _refuse_unfit(adapter: "graph.Adapter", name: str, *login: object, **named: object) -> None:
    """:raises SettingsError: *adapter* cannot be called with what the settings give it"""
    try:
        parameters = inspect.signature(adapter)
    except (TypeError, ValueError):
        # Written in C, it may not say; the call will.
        return
    try:
        parameters.bind(*login, **named)
    except TypeError as error:
        if "ca_file" in named and "ca_file" not in parameters.parameters:
            raise SettingsError(
                f"NEO4J_CA_FILE: is set, and the graph adapter {name!r} takes no ca_file: leave the"
                " setting out and name the authorities as that adapter wants it, or take a release"
                " of it that knows ca_file"
            ) from None
        raise SettingsError(
            f"IMBI_WORKER_GRAPH: the adapter {name!r} cannot be called with url, user, password"
            f" and database ({error}): ask for a release of it that can"
        ) from None


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
