"""A server as a child process, with a directory of its own, that ends with this process."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

LOG_NAME = "server.log"
POLL_SECONDS = 0.01
# The address of a Unix socket holds 103 bytes on macOS and 107 on Linux; the keeper adds a
# directory name and the server a file name.
LONGEST_PARENT_BYTES = 70
_NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})


class EmbeddedServerError(Exception):
    """An embedded server could not be installed, started or reached; the text says what to do."""


class Child:
    """One server under a keeper process (see ``keeper.py``).

    The directory is private to this user (0700) and is gone after :meth:`close`, and also
    when this process is killed. Calls may come from any thread. A fork of this process that
    never calls ``exec`` holds the keeper's input open, and with it the server.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._keeper: subprocess.Popen[str] | None = None
        self._directory: Path | None = None
        self._closed = False

    def open(self) -> None:
        """Make the directory, and a keeper for it. Not again after :meth:`close`."""
        with self._lock:
            if self._closed:
                raise EmbeddedServerError(f"{self.name} has been stopped: make a new one.")
            if self._keeper is None:
                self._keeper = start_keeper()
                self._directory = Path(self._reply(self._keeper)["directory"])

    @property
    def directory(self) -> Path:
        if self._directory is None:
            raise EmbeddedServerError(f"{self.name} is not started: call start() first.")
        return self._directory

    @property
    def log(self) -> Path:
        return self.directory / LOG_NAME

    def start(self, argv: Sequence[str], environment: Mapping[str, str] = _NO_MORE) -> int:
        """The process id; *environment* is added to the little that a server is given.

        A server that ended may be started again, in the same directory.
        """
        reply = self._ask(
            {
                "do": "start",
                "argv": list(argv),
                "log": str(self.log),
                "environment": dict(environment),
            }
        )
        if "error" in reply:
            raise EmbeddedServerError(f"{self.name} could not be started: {reply['error']}.")
        return int(reply["pid"])

    def is_running(self) -> bool:
        return self._ask({"do": "poll"})["exit"] is None

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        self._ask({"do": "kill"})

    def terminate(self) -> None:
        """SIGTERM, and SIGKILL after five seconds; returns when the process is gone."""
        self._ask({"do": "terminate"})

    def close(self) -> None:
        """Stop the server and remove its directory. May be called twice."""
        with self._lock:
            self._closed = True
            keeper, self._keeper = self._keeper, None
            if keeper is None:
                return
            for pipe in (keeper.stdin, keeper.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):  # a request that nobody read
                        pipe.close()
            keeper.wait()
            # Only when somebody killed the keeper is there anything left to remove.
            shutil.rmtree(self.directory, ignore_errors=True)

    def wait_for(self, condition: Callable[[], bool], what: str, limit: timedelta) -> None:
        """Return as soon as *condition* holds; raise when the server ends or *limit* is over."""
        deadline = time.monotonic() + limit.total_seconds()
        while not condition():
            if not self.is_running():
                raise EmbeddedServerError(f"{self.name} ended before {what}.{self._last_words()}")
            if time.monotonic() > deadline:
                seconds = f"{limit.total_seconds():g}"
                raise EmbeddedServerError(
                    f"{self.name} started, but not within {seconds} s {what}.{self._last_words()}"
                )
            time.sleep(POLL_SECONDS)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            keeper = self._keeper
            if keeper is None or keeper.stdin is None:
                state = "has been stopped" if self._closed else "is not started: call start() first"
                raise EmbeddedServerError(f"{self.name} {state}.")
            with suppress(BrokenPipeError):  # then there is no reply either
                keeper.stdin.write(json.dumps(request) + "\n")
                keeper.stdin.flush()
            return self._reply(keeper)

    def _reply(self, keeper: subprocess.Popen[str]) -> dict[str, Any]:
        line = keeper.stdout.readline() if keeper.stdout else ""
        if not line:
            raise EmbeddedServerError(f"{self.name}: the process that keeps it has ended.")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
        return "".join(f"\n    {line}" for line in lines)


def start_keeper() -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own script, by our own interpreter
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py")), parent()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Out of the terminal's reach: Ctrl-C is for the owner, who then stops the server.
        start_new_session=True,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        text=True,
    )


def parent() -> str:
    """Where directories of servers are made: short enough for a socket's address."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= LONGEST_PARENT_BYTES else "/tmp"  # noqa: S108 - mkdtemp follows
