"""Ways to the guarded Redis behind TLS, a graph with TLS of its own, and an authority for both."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from door import Door, Open
from terminator import Terminator

from certificates import HOST, Authority
from guard import Guard
from imbi_worker.embedded import ArcadeDB
from imbi_worker.graph import GraphAddress


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def open_door(guard: Guard) -> AsyncIterator[Open]:
    """Opens ways to the guarded Redis; they close with the test."""
    upstream = Path(guard.server.url.removeprefix("unix://"))
    async with AsyncExitStack() as stack:

        async def opened(context: ssl.SSLContext | None) -> Door:
            terminator = Terminator(upstream, context)
            await terminator.start()
            stack.push_async_callback(terminator.stop)
            return Door(terminator.port)

        yield opened


class TlsArcadeDB(ArcadeDB):
    """Takes no connection without TLS."""

    def __init__(self, store: Path, password: str) -> None:
        self._tls = {
            "arcadedb.bolt.ssl": "REQUIRED",
            "arcadedb.ssl.keyStore": store,
            "arcadedb.ssl.keyStorePassword": password,
            # It wants both, and asks nobody for a certificate.
            "arcadedb.ssl.trustStore": store,
            "arcadedb.ssl.trustStorePassword": password,
        }
        super().__init__()

    def _arguments(self, package: Path, directory: Path) -> str:
        lines = "".join(f'"-D{name}={value}"\n' for name, value in self._tls.items())
        return lines + super()._arguments(package, directory)

    def answers(self) -> bool:
        """Without TLS nothing is answered; each test waits for the database."""
        return True


@pytest.fixture(scope="module")
def graph_behind_tls(authority: Authority) -> Iterator[GraphAddress]:
    """Its certificate is for localhost and 127.0.0.1; the address is still one without TLS.

    Of its module only: once it was spoken to without TLS the server keeps a core busy.
    """
    server = TlsArcadeDB(authority.key_store(HOST, "127.0.0.1", password="key-store"), "key-store")
    server.start()
    try:
        yield server.address
    finally:
        server.stop()
