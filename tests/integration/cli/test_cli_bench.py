"""`bench` on a real Redis: figures, and nothing left behind."""

import signal
import subprocess
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from station import Station
from terminal import COMMAND

from imbi_worker.queue import in_database


def contents(station: Station) -> dict[bytes, bytes]:
    async def work(redis: Redis) -> dict[bytes, bytes]:
        return {key: await redis.dump(key) async for key in redis.scan_iter()}

    return station.do(work)


def keyspace(station: Station) -> dict[str, Any]:
    async def work(redis: Redis) -> dict[str, Any]:
        return {str(name): facts["keys"] for name, facts in (await redis.info("keyspace")).items()}

    return station.do(work)


@pytest.fixture
def used(station: Station) -> Station:
    """A queue that has worked, and has nothing to do."""
    station.enqueue()
    station.succeed()
    return station


def test_it_measures_and_leaves_nothing_behind(used: Station) -> None:
    """Every figure is there; the queue, its counters and its outcomes are as before."""
    before, databases = contents(used), keyspace(used)
    (found,) = used.lines("bench", "--jobs", "200")
    assert found["jobs"] == 200
    assert found["enqueued_per_second"] > 0
    # The hundred pauses of 25 ms before pick-ups are no work.
    assert 200 / found["worked_per_second"] < 100 * 0.025
    for spread in (found["round_trip"], found["pick_up"]):
        assert 0 < spread["median_seconds"] <= spread["p99_seconds"]
    assert contents(used) == before
    assert keyspace(used) == databases


def test_it_does_not_slow_a_queue_that_has_jobs(station: Station) -> None:
    """Unless it is told to."""
    station.enqueue()
    refused = station.call("bench", "--jobs", "100")
    assert refused.exit_code == 4
    assert "--anyway" in refused.stderr
    result = station.call("bench", "--jobs", "100", "--anyway")
    assert result.exit_code == 0, result.output
    assert "jobs/s" in result.stdout
    assert len(station.lines("jobs", "list")) == 1


def test_it_takes_no_database_that_is_in_use(used: Station) -> None:
    """Nor one that is none."""
    (mine,) = keyspace(used)
    for number in (mine.removeprefix("db"), "9999"):
        refused = used.call("bench", "--database", number)
        assert refused.exit_code == 4
        assert "--database" in refused.stderr


def test_interrupted_it_cleans_up_all_the_same(used: Station) -> None:
    """Ctrl-C ends it with 130."""
    databases = keyspace(used)
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, "bench", "--jobs", "500000"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while "enqueue" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert "Traceback" not in rest
    assert keyspace(used) == databases


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("redis://host:1/3", "redis://host:1/3?db=5"),
        ("rediss://u:p%40@host/0?db=7&ssl_cert_reqs=none", None),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=5"),
    ],
)
def test_another_database_is_the_same_redis(url: str, other: str | None) -> None:
    """Login, path and options stay."""
    changed = in_database(SecretStr(url), 5).get_secret_value()
    assert changed == (other or "rediss://u:p%40@host/0?ssl_cert_reqs=none&db=5")
