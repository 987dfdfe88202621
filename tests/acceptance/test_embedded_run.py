"""`imbi-worker run --embedded`: everything in one command, and nothing left behind."""

import os
import signal
import subprocess
import sys

from cryptography.fernet import Fernet


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("IMBI_", "REDIS", "VALKEY", "NEO4J"))
    }
    return {
        **kept,
        "IMBI_AUTH_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "IMBI_WORKER_SIGNING_KEY": "a-signing-key-for-tests-only",
    }


def test_it_starts_its_servers_ends_when_nothing_is_left_and_stops_them() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imbi_worker", "run", "--embedded", "--burst"],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"event":"worker.started"' in done.stderr
    assert '"event":"worker.stopped"' in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_drains_an_embedded_worker_too() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "imbi_worker", "run", "--embedded"],
        env=_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    told = ""
    for line in worker.stderr:
        told += line
        if "worker.started" in line:
            break
    assert '"redis":"unix://' in told, "other commands are told where Redis is"
    worker.send_signal(signal.SIGTERM)
    rest = worker.stderr.read()
    assert worker.wait(20) == 0
    assert "worker.stopped" in rest
    worker.stderr.close()
