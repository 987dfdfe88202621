"""ArcadeDB from a package: a graph database that speaks Bolt, with a Java runtime of its own."""

import asyncio
import importlib.util
import os
import re
import secrets
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from imbi_sdk.errors import GraphUnavailable
from imbi_worker.embedded.child import EmbeddedServerError
from imbi_worker.embedded.lifetime import EmbeddedServer
from imbi_worker.graph import GraphAddress, Neo4jGraph

NAME = "The embedded ArcadeDB"
USER = "root"
DATABASE = "neo4j"
START_LIMIT = timedelta(seconds=60)
LISTENING = re.compile(r"Listening for incoming BOLT connections on /127\.0\.0\.1:(\d+)")

JAVA_OPTIONS = (
    "--add-modules jdk.incubator.vector",
    "--enable-native-access=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "-Xmx192m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    # Or the options, the password among them, lie in a file under /tmp that a SIGKILL leaves.
    "-XX:-UsePerfData",
)


class ArcadeDB(EmbeddedServer):
    """One ArcadeDB server with an empty database, on a free port of the loopback interface.

    The password is random and stands only in a file of this user (0600): no command line,
    no environment. Data live in the server's own directory, survive ``kill``, and go with it.
    """

    def __init__(self) -> None:
        super().__init__(NAME)
        self._password = SecretStr(secrets.token_urlsafe(24))
        self._port: int | None = None

    @property
    def address(self) -> GraphAddress:
        """Another one after a restart: the port is chosen anew."""
        if self._port is None:
            raise EmbeddedServerError(f"{NAME} is not started: call start() first.")
        url = f"bolt://127.0.0.1:{self._port}"
        return GraphAddress(url, USER, self._password, DATABASE)

    def stop(self) -> None:
        super().stop()
        self._port = None

    def _find(self) -> Path:
        return find_package()

    def _run(self, program: Path) -> None:
        child = self._child
        arguments = child.directory / "java.arguments"
        write_private(arguments, self._arguments(program, child.directory))
        child.log.unlink(missing_ok=True)  # an earlier run's port stands in it
        child.start([str(program / "jre" / "bin" / "java"), f"@{arguments}"])
        child.wait_for(self._is_listening, "it listened for Bolt", START_LIMIT)
        child.wait_for(self.answers, "it answered a query", START_LIMIT)

    def answers(self) -> bool:
        return asyncio.run(can_be_read(self.address))

    def _is_listening(self) -> bool:
        log = self._child.log
        found = LISTENING.search(log.read_text(errors="replace")) if log.exists() else None
        self._port = int(found[1]) if found else None
        return found is not None

    def _arguments(self, package: Path, directory: Path) -> str:
        settings = {
            "java.awt.headless": "true",
            "java.io.tmpdir": directory,
            "arcadedb.server.rootPath": directory,
            "arcadedb.server.rootPassword": self._password.get_secret_value(),
            # There is no leaving out the HTTP listener: a free port, loopback only.
            "arcadedb.server.httpIncomingHost": "127.0.0.1",
            "arcadedb.server.httpIncomingPort": "0",
            "arcadedb.server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "arcadedb.bolt.host": "127.0.0.1",
            "arcadedb.bolt.port": "0",
            "arcadedb.bolt.defaultDatabase": DATABASE,
            "arcadedb.server.defaultDatabases": f"{DATABASE}[{USER}]",
        }
        lines = [
            *JAVA_OPTIONS,
            *(quoted(f"-D{name}={value}") for name, value in settings.items()),
            "-cp",
            quoted(f"{package}/jars/*"),
            "com.arcadedb.server.ArcadeDBServer",
        ]
        return "\n".join(lines) + "\n"


async def can_be_read(address: GraphAddress) -> bool:
    graph = Neo4jGraph.at(address)
    try:
        await graph.verify()
    except GraphUnavailable:
        # It listens before the database is made.
        return False
    finally:
        await graph.close()
    return True


def find_package() -> Path:
    # Looked up, not imported: the import would load a Java bridge into this process.
    found = importlib.util.find_spec("arcadedb_embedded")
    if found is None or found.origin is None:
        raise EmbeddedServerError(
            f"{NAME} is not installed. Install it with `pip install 'imbi-worker[embedded]'`,"
            " or set NEO4J_URL to a server of yours."
        )
    return Path(found.origin).parent


def write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def quoted(argument: str) -> str:
    """As java reads it from an argument file: in quotes a backslash escapes."""
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
