"""The Procfile, as a process manager starts it."""

import asyncio
import json
import signal
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from stage import SIGNING_KEY, Stage

from waiting import until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# honcho gives each process type a port 100 above that of the one before it.
STEP = 100


async def _honcho(*arguments: str, **options: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        BIN / "honcho",
        "--procfile",
        ROOT / "Procfile",
        *arguments,
        stderr=asyncio.subprocess.STDOUT,
        **options,  # type: ignore[arg-type]  # options of the call
    )


def _port_before_a_free_one() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1]) - STEP


def _status(port: int, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


async def test_honcho_reads_it_and_finds_both_processes() -> None:
    process = await _honcho("check", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert b"Valid procfile detected (worker, dashboard)" in said


@pytest.mark.timeout(120)
async def test_both_processes_run_side_by_side_and_end_well(stage: Stage, tmp_path: Path) -> None:
    """The worker runs a job, the dashboard tells of it at $PORT, SIGTERM ends both with 0."""
    port = _port_before_a_free_one()
    path = f"{BIN}:{stage.environment()['PATH']}"
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = await _honcho(
            "start",
            env=stage.environment() | {"PATH": path, "PORT": str(port)},
            stdout=out,
        )

    def said(*words: str) -> bool:
        assert process.returncode is None, log.read_text()
        return any(all(word in line for word in words) for line in log.read_text().splitlines())

    try:
        await until(lambda: said("worker", "worker.started"), 30)
        await until(lambda: said("dashboard", f"http://127.0.0.1:{port + STEP}"), 30)
        enqueued = await stage.enqueue(
            ("gateway-actions#update_project", [{"path": "/branch", "from": "/payload/ref"}])
        )
        await stage.until_state(enqueued, "succeeded")
        assert stage.api.projects["org", "p0"]["branch"] == "refs/heads/main"

        assert _status(port + STEP, "/readyz")[0] == 200
        status, body = _status(port + STEP, f"/api/v1/jobs/{enqueued.jobs[0].id}")
        assert (status, json.loads(body)["job"]["state"]) == (200, "succeeded"), body
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 20)

    lines = log.read_text()
    assert code == 128 + signal.SIGTERM, "honcho's own code, when it was told to end"
    # Those of the two commands, and not of a shell around them: the Procfile says exec.
    assert "worker.1 stopped (rc=0)" in lines
    assert "dashboard.1 stopped (rc=0)" in lines
    assert "worker.stopped" in lines
    assert "dashboard.stopped" in lines
    assert SIGNING_KEY not in lines
