"""`status`: one screen, whatever stands in Redis."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest
from redis.asyncio import Redis
from station import Station
from terminal import COMMAND

from imbi_sdk.queue import keys

RUNNING_SINCE_MS = 90_000


def screen(*arguments: str, columns: int) -> str:
    """What a terminal of so many columns shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, *arguments],
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": str(columns), "NO_COLOR": "1"},
    ) as process:
        os.close(theirs)
        found = b"".join(iter(lambda: _read(ours), b""))
        assert process.wait(timeout=30) == 0, found
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", found.decode())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux says EIO when the other side has closed
        return b""


@pytest.fixture
def busy(station: Station) -> Station:
    """Two workers' heartbeats, a running job, a dead one and one behind it."""
    station.enqueue("github#sync", delivery="d-1", projects=["p-1"])
    station.bury("HTTP 404 for label 17")
    station.enqueue("github#sync", "demo#work", delivery="d-2", projects=["p-1", "p-2"])
    station.enqueue("github#sync", delivery="d-3", projects=["p-1"])
    station.claim("w1")
    station.beat("w1")
    return station


def test_an_empty_queue_says_that_nobody_works(station: Station) -> None:
    """And nothing else is missing from the screen."""
    result = station.call("status")
    assert result.exit_code == 0
    assert "due 0, running 0" in result.stdout
    assert "imbi-worker run" in result.stdout


def test_the_lane_with_the_longest_wait_is_named_with_its_head(busy: Station) -> None:
    """The first sign of a head that does not end."""
    (found,) = busy.lines("status")
    lane = found["slowest_lane"]
    assert (lane["lane"], lane["handler"], lane["waiting"]) == ("p-1/github", "github#sync", 1)
    assert busy.call("jobs", "show", lane["head"]).exit_code == 0
    shown = busy.call("status").stdout
    assert f"jobs why {lane['head']}" in " ".join(shown.split())


def test_without_a_job_that_waits_behind_another_no_lane_is_named(station: Station) -> None:
    station.enqueue("github#sync", delivery="d-1", projects=["p-1"])
    (found,) = station.lines("status")
    assert found["slowest_lane"] is None


def test_the_screen_tells_figures_running_failures_plugins_and_workers(busy: Station) -> None:
    """Each with what an operator asks next."""
    (found,) = busy.lines("status")
    assert (found["running"], found["stats"]["behind"], found["stats"]["dead"]) == (4, 1, 1)
    assert {job["handler"] for job in found["longest"]} == {"github#sync", "demo#work"}
    (group,) = found["failures"]["groups"]
    assert (group["handler"], group["count"]) == ("github#sync", 1)
    assert group["hint"]
    counts = {plugin["slug"]: plugin for plugin in found["plugins"]}
    assert (counts["github"]["workers"], counts["github"]["dead"]) == (1, 1)
    assert [worker["id"] for worker in found["workers"]] == ["w1"]
    text = busy.call("status").stdout
    assert "HTTP 404" in text
    assert "w1" in text


def test_a_running_job_stands_with_its_share_of_its_timeout(
    busy: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the settings here tell it, where its worker does not; the longest comes first."""
    (job,) = [
        line["id"]
        for line in busy.lines("jobs", "list", "--state", "running")
        if (line["handler"], line["project"]) == ("demo#work", "p-2")
    ]

    async def begin_earlier(redis: Redis) -> None:
        key = f"{keys.JOB}{job}"
        async with redis.pipeline() as pipe:
            pipe.hincrby(key, "started", -RUNNING_SINCE_MS)
            await pipe.execute()

    busy.do(begin_earlier)
    monkeypatch.setenv("IMBI_WORKER_TIMEOUTS", "demo#work=3m")
    (found,) = busy.lines("status")
    first = found["longest"][0]
    assert (first["job"], first["timeout_seconds"]) == (job, 180.0)
    assert first["elapsed_seconds"] >= RUNNING_SINCE_MS / 1000
    assert "of 3m00s" in busy.call("status").stdout


def test_retries_that_are_due_soon_do_not_count_as_running(station: Station) -> None:
    """They lie between now and the end of a lease, too."""
    station.enqueue()
    station.end(station.claim(), "retry", wait_ms=5_000, error="HTTP 503", status="failed")
    (found,) = station.lines("status")
    assert (found["running"], found["stats"]["scheduled"]) == (0, 1)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_screen_fits_its_terminal(busy: Station, columns: int) -> None:
    """No line is longer than it is wide, but for an id that is."""
    shown = screen("status", columns=columns)
    lines = [line.rstrip() for line in shown.splitlines()]
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []
    assert "github" in shown


def test_a_watched_screen_goes_on_until_ctrl_c(busy: Station) -> None:
    """Into a pipe each look is one JSON object; then the exit code is 130."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, "status", "--watch", "--every", "200ms", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(2):
            assert json.loads(process.stdout.readline())["queue"] == keys.QUEUE
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert "Traceback" not in process.stderr.read()


def test_too_quick_a_watch_is_refused(station: Station) -> None:
    """A usage error that says what would do."""
    result = station.call("status", "--watch", "--every", "1ms")
    assert result.exit_code == 2
    assert "--every" in result.stderr
