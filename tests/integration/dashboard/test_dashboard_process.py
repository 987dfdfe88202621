"""The command itself: where it refuses to start, and Redis that goes away."""

import json
import re
import signal
import socket
import subprocess
from http.client import HTTPConnection
from pathlib import Path

import pytest
from board import COMMAND, environment, refused, serving

from imbi_worker.dashboard.access import Access, Role, kept_tokens
from imbi_worker.embedded import Valkey
from waiting import until


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "dashboard.example"])  # noqa: S104 - what is refused
def test_a_public_address_without_tokens_is_refused(host: str) -> None:
    """With the way out of it."""
    code, said = refused(REDIS_URL="redis://127.0.0.1:1", IMBI_WORKER_DASHBOARD_HOST=host)
    assert code == 78
    assert f"IMBI_WORKER_DASHBOARD_HOST: {host} can be reached" in said
    assert "imbi-worker tokens new" in said


def test_a_token_set_in_place_of_its_hash_is_refused_and_not_told(canary: str) -> None:
    """It would open nothing, and be a secret in the environment."""
    tokens = f"imbi_{canary}"
    code, said = refused(REDIS_URL="redis://127.0.0.1:1", IMBI_WORKER_DASHBOARD_TOKENS=tokens)
    assert code == 78
    assert "IMBI_WORKER_DASHBOARD_TOKENS: number 1: write name:role:hash" in said
    assert canary not in said


def test_a_port_in_use_is_named() -> None:
    """With the setting that changes it; $PORT of a Procfile is one, too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = refused(REDIS_URL="redis://127.0.0.1:1", PORT=port)
    assert code == 69
    assert f"127.0.0.1:{port}" in said
    assert "IMBI_WORKER_DASHBOARD_PORT" in said


def test_a_new_token_opens_what_is_kept_of_it() -> None:
    """Data on stdout, talk on stderr."""
    done = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, "tokens", "new", "alice", "--role", "operator", "--json"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    made = json.loads(done.stdout)
    person = Access(kept_tokens(made["kept"])).person(f"Bearer {made['token']}")
    assert person is not None
    assert (person.name, person.role) == ("alice", Role.OPERATOR)


def metrics_of(log: Path) -> str:
    """The page of the dashboard's second port, which stands in its log."""
    told = re.search(r'"port":(\d+),"event":"metrics.listening"', log.read_text())
    assert told is not None, log.read_text()
    connection = HTTPConnection("127.0.0.1", int(told[1]), timeout=20)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


async def test_a_dashboard_tells_that_there_is_no_worker(valkey: Valkey, tmp_path: Path) -> None:
    """The figures of the queue, on a port of their own, with and without Redis."""
    workers = 'imbi_queue_workers{queue="imbi:queue"} 0.0'
    port = {"IMBI_WORKER_DASHBOARD_METRICS_PORT": "0"}
    with serving(valkey.url, tmp_path / "log", **port):
        text = metrics_of(tmp_path / "log")
        assert workers in text
        assert "imbi_worker_attempts" not in text
        valkey.kill()
        down = 'imbi_queue_up{queue="imbi:queue"} 0.0'
        await until(lambda: down in metrics_of(tmp_path / "log"))
        assert workers not in metrics_of(tmp_path / "log")
        valkey.restart()
        await until(lambda: workers in metrics_of(tmp_path / "log"))


def test_a_metrics_port_in_use_is_named() -> None:
    """With its own setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ports = {"IMBI_WORKER_DASHBOARD_PORT": "0", "IMBI_WORKER_DASHBOARD_METRICS_PORT": port}
        code, said = refused(REDIS_URL="redis://127.0.0.1:1", **ports)
    assert code == 78
    assert f"IMBI_WORKER_DASHBOARD_METRICS_PORT: cannot listen at 127.0.0.1:{port}" in said


async def test_redis_that_is_away_is_a_problem_and_not_the_end(
    valkey: Valkey, tmp_path: Path
) -> None:
    """Pages and API say so, the process lives, and all is well when Redis is back."""
    with serving(valkey.url, tmp_path / "log") as board:
        assert board.get("/api/v1/status").status == 200
        valkey.kill()
        answer = board.get("/api/v1/status")
        assert (answer.status, answer.json["type"]) == (503, "/problems/unavailable")
        assert answer.headers["retry-after"]
        assert board.get("/readyz").status == 503
        assert board.get("/livez").status == 200
        assert board.get("/api/v1/plugins").status == 200
        page = board.get("/")
        assert page.status == 503
        assert 'http-equiv="refresh"' in page.text
        assert "asks again every 5 s" in page.text
        valkey.restart()
        await until(lambda: board.get("/readyz").status == 200)
        assert board.get("/").status == 200


def test_it_ends_at_sigterm_even_with_a_tail_open(redis_url: str, tmp_path: Path) -> None:
    """Within seconds: tails do not end by themselves."""
    with (
        serving(redis_url, tmp_path / "log") as board,
        board.tail("/api/v1/audit/tail") as response,
    ):
        assert response.readline() == b"retry: 2000\n"
        board.process.send_signal(signal.SIGTERM)
        assert board.process.wait(timeout=10) == 0
