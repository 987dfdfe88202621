"""The driver: a session per call, managed transactions, every call within its limit."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import neo4j
from neo4j.exceptions import ConfigurationError, ConstraintError

from imbi_worker.graph.address import GraphAddress, GraphLimits, GraphMisconfigured
from imbi_worker.graph.errors import graph_errors

Result = TypeVar("Result")
Row = dict[str, Any]
Transaction = neo4j.AsyncManagedTransaction
Work = Callable[[Transaction], Awaitable[Result]]

SCHEMES = ("bolt", "neo4j")

# Two writers that MERGE one new key: the loser's next try finds the node. On ArcadeDB 26.10
# nearly every such race has a loser, and a second loss is possible.
MERGE_TRIES = 3


class Connection:
    """Opens nothing until the first call."""

    def __init__(self, address: GraphAddress, limits: GraphLimits) -> None:
        self.address = address
        self._limits = limits
        with graph_errors(address):
            refuse_unfit(urlsplit(address.url))
            url, trust = trusting(address)
            self._driver = neo4j.AsyncGraphDatabase.driver(
                url,
                **trust,
                auth=(address.user, address.password.get_secret_value()) if address.user else None,
                connection_timeout=limits.connect.total_seconds(),
                connection_acquisition_timeout=limits.acquire.total_seconds(),
                max_transaction_retry_time=limits.retry.total_seconds(),
                # "No such label yet" is no news to an operator.
                notifications_min_severity=neo4j.NotificationMinimumSeverity.OFF,
            )

    async def read(self, query: str, **parameters: Any) -> list[Row]:
        """The rows of a query that writes nothing."""

        async def work(transaction: Transaction) -> list[Row]:
            return await rows(transaction, query, **parameters)

        with graph_errors(self.address):
            async with asyncio.timeout(self._limits.call.total_seconds()):
                async with self._session(neo4j.READ_ACCESS) as session:
                    return await session.execute_read(work)

    async def write(self, work: Work[Result]) -> Result:
        """What *work* returns. It is called again after a conflict, and must allow for that.

        After ``GraphUnavailable`` it is unknown whether the transaction was committed.
        """
        with graph_errors(self.address):
            async with asyncio.timeout(self._limits.call.total_seconds()):
                for _ in range(MERGE_TRIES - 1):
                    try:
                        return await self._write_once(work)
                    except ConstraintError:
                        continue
                return await self._write_once(work)

    async def close(self) -> None:
        await self._driver.close()

    async def _write_once(self, work: Work[Result]) -> Result:
        async with self._session(neo4j.WRITE_ACCESS) as session:
            return await session.execute_write(work)

    def _session(self, access: str) -> neo4j.AsyncSession:
        # Without a database's name a pooled connection of ArcadeDB keeps the last one it had.
        return self._driver.session(database=self.address.database, default_access_mode=access)


def trusting(address: GraphAddress) -> tuple[str, dict[str, Any]]:
    """The driver's address, and who is believed to be there.

    :raises GraphMisconfigured: authorities are named for an address that asks none
    """
    if address.ca_file is None:
        return address.url, {}
    scheme, _, rest = address.url.partition("://")
    plain, _, security = scheme.partition("+")
    if security != "s":
        raise GraphMisconfigured(
            "NEO4J_CA_FILE is set, but NEO4J_URL asks for no certificate: write"
            f" {plain}+s:// or leave the file out"
        )
    try:
        ssl.create_default_context(cafile=str(address.ca_file))
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "it holds no certificates"
        raise GraphMisconfigured(
            f"NEO4J_CA_FILE: {address.ca_file} cannot be used: {reason}"
        ) from None
    # The driver takes authorities of ours only where the scheme does not decide.
    certificates = neo4j.TrustCustomCAs(str(address.ca_file))
    return f"{plain}://{rest}", {"encrypted": True, "trusted_certificates": certificates}


def refuse_unfit(url: SplitResult) -> None:
    # The driver speaks HTTP too, as a preview: other sessions, other guarantees.
    if url.scheme.partition("+")[0] not in SCHEMES:
        raise ConfigurationError("no scheme of Bolt")
    # The driver refuses this as well, and repeats the login in its error.
    if "@" in url.netloc:
        raise ConfigurationError("a login in the address")


async def rows(transaction: Transaction, query: str, **parameters: Any) -> list[Row]:
    result = await transaction.run(query, parameters)
    return await result.data()
