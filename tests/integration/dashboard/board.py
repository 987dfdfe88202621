"""The real command as a process, and calls to it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from imbi_worker.dashboard.access import Role, make_token

COMMAND = str(Path(sys.executable).parent / "imbi-worker")
OURS = ("IMBI_", "NEO4J_", "ACTIONS_", "REDIS_", "VALKEY_", "PORT")


@dataclass(frozen=True)
class Told:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Board:
    """A dashboard that listens; ``tokens`` are its roles' own."""

    port: int
    process: subprocess.Popen[str]
    log: Path
    tokens: Mapping[Role, str] = field(repr=False)

    def get(self, path: str, role: Role = Role.VIEWER) -> Told:
        """A GET of the API, or with a browser's login of a page."""
        return self.send("GET", path, role)

    def post(self, path: str, told: Any, role: Role = Role.OPERATOR) -> Told:
        return self.send("POST", path, role, json.dumps(told))

    def send(self, method: str, path: str, role: Role, body: str | None = None) -> Told:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = self._login(path, role) | {"Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Told(response.status, found, text)
        finally:
            connection.close()

    @contextmanager
    def tail(self, path: str, **headers: str) -> Iterator[HTTPResponse]:
        """A stream, from which lines can be read."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=self._login(path, Role.VIEWER) | headers)
            yield connection.getresponse()
        finally:
            connection.close()

    def _login(self, path: str, role: Role) -> dict[str, str]:
        token = self.tokens[role]
        if path.startswith("/api/"):
            return {"Authorization": f"Bearer {token}"}
        encoded = base64.b64encode(f"x:{token}".encode()).decode()
        return {"Authorization": f"Basic {encoded}"}


def environment(**changes: str) -> dict[str, str]:
    """That of this process, without what would lead the command elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | changes


@contextmanager
def serving(redis_url: str, log: Path, **changes: str) -> Iterator[Board]:
    """A dashboard of its own on a free port, stopped by SIGTERM; *log* is where its stderr goes."""
    made = {role: make_token(f"{role}-1", role) for role in Role}
    settings = environment(
        REDIS_URL=redis_url,
        IMBI_WORKER_DASHBOARD_PORT="0",
        IMBI_WORKER_DASHBOARD_TOKENS=",".join(str(kept) for _, kept in made.values()),
        **changes,
    )
    with log.open("w") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [COMMAND, "dashboard", "--json"],
            env=settings,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        port = int(json.loads(line)["address"].rpartition(":")[2])
        yield Board(port, process, log, {role: token for role, (token, _) in made.items()})
    finally:
        process.terminate()
        process.communicate(timeout=20)


def refused(**settings: str) -> tuple[int, str]:
    """The exit code and the words of a dashboard that does not start."""
    done = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, "dashboard"],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr
