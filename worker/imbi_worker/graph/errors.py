"""What can go wrong with the graph, and whether waiting helps.

GraphUnavailable        (SDK) the database is away, slow or busy: the same call may work later
└── GraphMisconfigured  the address, the login, the database's name or its permissions: it will
                        not, until somebody corrects them. To a job both are the same: it waits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import neo4j.exceptions as driver

from imbi_sdk.connecting import tls_failure, tls_remedy, tls_text
from imbi_sdk.errors import GraphUnavailable
from imbi_worker.graph.address import GraphAddress
from imbi_worker.graph.address import GraphMisconfigured as GraphMisconfigured

_SECURITY = "Neo.ClientError.Security."
_DATABASE = "Neo.ClientError.Database."


@contextmanager
def graph_errors(address: GraphAddress) -> Iterator[None]:
    """Turn the driver's errors into ours. Their texts are not repeated: ours name no value."""
    try:
        yield
    except (driver.Neo4jError, driver.DriverError, OSError, ValueError) as error:
        ours = translated(error, address)
        if ours is None:
            raise
        raise ours from error


def translated(error: Exception, address: GraphAddress) -> Exception | None:
    where = f"The graph at {host(address)}"
    reason = code_of(error)
    failure = tls_failure(error)
    if failure is not None:
        remedy = tls_remedy(failure, ca_setting="NEO4J_CA_FILE")
        return GraphMisconfigured(
            f"{where} is not who it should be: {tls_text(failure)}; {remedy}."
        )
    if is_passing(error):
        return GraphUnavailable(f"{where} cannot be reached in time ({reason}).")
    if reason.startswith(_SECURITY) or isinstance(error, driver.AuthError):
        return GraphMisconfigured(
            f"{where} refuses user {address.user!r} ({reason}): check NEO4J_USER, NEO4J_PASSWORD"
            " and the user's permissions."
        )
    if reason.startswith(_DATABASE):
        return GraphMisconfigured(
            f"{where} has no usable database {address.database!r} ({reason}): check NEO4J_DATABASE."
        )
    if isinstance(error, driver.ConfigurationError | ValueError):
        return GraphMisconfigured(
            f"{where} cannot be used as configured ({reason}): NEO4J_URL takes bolt:// or neo4j://,"
            " with +s or +ssc for TLS, a host and a port, and no login."
        )
    return None


def is_passing(error: Exception) -> bool:
    match error:
        case TimeoutError() | OSError():
            return True
        case driver.ServiceUnavailable() | driver.SessionExpired() | driver.ConnectionPoolError():
            return True
        case driver.Neo4jError():
            return error.is_retryable() or code_of(error).endswith(".AuthenticationRateLimit")
        case _:
            return False


def code_of(error: Exception) -> str:
    """The server's code, or the error's class: neither carries a value."""
    code = error.code if isinstance(error, driver.Neo4jError) else None
    return code or type(error).__name__


def host(address: GraphAddress) -> str:
    """The address without a user or a password somebody may have written into it."""
    parts = urlsplit(address.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
