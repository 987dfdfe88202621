"""Where a graph database answers, and for whom."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from imbi_sdk.errors import GraphUnavailable


class GraphMisconfigured(GraphUnavailable):
    """The graph answers, but not to us: waiting changes nothing."""


@dataclass(frozen=True, slots=True)
class GraphAddress:
    """*url* is ``bolt://`` or ``neo4j://`` (routing), with ``+s`` or ``+ssc`` for TLS.

    Without a *user* no credentials are sent. *ca_file* holds the authorities that are believed in
    place of the system's.
    """

    url: str
    user: str | None
    password: SecretStr
    database: str = "neo4j"
    ca_file: Path | None = None

    @property
    def trusts_anybody(self) -> bool:
        """Whether it is encrypted, for whoever answers."""
        return self.url.partition("://")[0].endswith("+ssc")


@dataclass(frozen=True, slots=True)
class GraphLimits:
    """How long each step may take. The driver's own defaults, 30 to 60 s, outlast an action."""

    connect: timedelta = timedelta(seconds=3)
    acquire: timedelta = timedelta(seconds=5)
    retry: timedelta = timedelta(seconds=5)
    # The whole of a call, retries included. The server is not asked to keep it: ArcadeDB 26.10
    # ignores the query timeout that Bolt sends along.
    call: timedelta = timedelta(seconds=10)
