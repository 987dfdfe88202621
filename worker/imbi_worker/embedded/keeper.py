"""Keeps one server and its directory, and lets neither outlive the process that asked for them.

A script, run as a process of its own: it starts the server, holds the directory, and reads
requests on its standard input. When that input ends, because the owner closed it or died
(SIGKILL included), it stops the server and removes the directory. So there is one way out,
the same on Linux and macOS, and nothing to clean up elsewhere.

It imports nothing but the standard library, for it runs without site-packages. One JSON object
a line in both directions:

    {"do": "start", "argv": [...], "log": PATH, "environment": {...}}
                                                  ->  {"pid": N} or {"error": TEXT}
    {"do": "poll"}                                ->  {"exit": null, or the exit code}
    {"do": "kill"}, {"do": "terminate"}           ->  {"exit": CODE}
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 5.0
PR_SET_PDEATHSIG = 1


class Keeper:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server: subprocess.Popen[bytes] | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["do"]:
            case "start":
                return self._start(request["argv"], Path(request["log"]), request["environment"])
            case "poll":
                return {"exit": self._server.poll() if self._server else None}
            case "kill":
                return {"exit": self.stop(signal.SIGKILL)}
            case "terminate":
                return {"exit": self.stop(signal.SIGTERM)}
            case unknown:
                return {"error": f"the keeper knows no request {unknown!r}"}

    def stop(self, how: signal.Signals) -> int | None:
        """Also the exit code of a server that ended by itself; None when there was none."""
        server = self._server
        if server is None:
            return None
        server.send_signal(how)
        try:
            return server.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            return server.wait()

    def _start(self, argv: list[str], log: Path, more: dict[str, str]) -> dict[str, Any]:
        if self._server is not None and self._server.poll() is None:
            return {"error": "the server runs already"}
        try:
            with log.open("ab") as output:
                self._server = subprocess.Popen(  # noqa: S603 - argv comes from our own package
                    argv,
                    cwd=self._directory,
                    env={**os.environ, **more},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - this process has one thread
                )
        except OSError as error:
            return {"error": str(error)}
        return {"pid": self._server.pid}


def die_with(keeper: int) -> Callable[[], None] | None:
    """On Linux the server dies even when its keeper is killed.

    The kernel watches the *thread* that forked: this process has only one.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # it died before we asked
            os._exit(1)

    return ask


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(parent: str) -> None:
    for heard in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler that does nothing, not SIG_IGN: the server would inherit that.
        signal.signal(heard, lambda _number, _frame: None)
    directory = Path(tempfile.mkdtemp(prefix="imbi-", dir=parent))
    keeper = Keeper(directory)
    try:
        # A broken pipe: the owner died between its request and our reply.
        with suppress(BrokenPipeError):
            say({"directory": str(directory)})
            for line in sys.stdin:
                say(keeper.answer(json.loads(line)))
    finally:
        keeper.stop(signal.SIGTERM)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
