"""`dead export` and `dead import` against a real Redis."""

import json
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from station import Station
from terminal import COMMAND, terminal

from imbi_sdk.queue import keys


def snapshot(station: Station) -> dict[bytes, bytes]:
    async def work(redis: Redis) -> dict[bytes, bytes]:
        return {key: await redis.dump(key) async for key in redis.scan_iter()}

    return station.do(work)


def clear(station: Station) -> None:
    """Another Redis, as it were."""

    async def work(redis: Redis) -> None:
        await redis.flushdb()

    station.do(work)


def body_and_event(station: Station, job: str) -> tuple[bytes | None, dict[bytes, bytes]]:
    async def work(redis: Redis) -> tuple[bytes | None, dict[bytes, bytes]]:
        body: bytes | None = await redis.get(f"{keys.BODY}{job}")
        event: Any = redis.hgetall(f"{keys.EVENT}delivery-1")
        return body, await event

    return station.do(work)


def export(station: Station, file: Path, *words: str) -> list[dict[str, Any]]:
    result = station.call("dead", "export", *words, "--output", str(file))
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in file.read_text().splitlines()]


def bring_in(station: Station, file: Path, *words: str) -> tuple[int, list[dict[str, Any]]]:
    result = station.call("dead", "import", str(file), "--reason", "moved", "--json", *words)
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "letters.ndjson"


def test_what_is_exported_can_be_imported_elsewhere_and_replayed(
    station: Station, file: Path
) -> None:
    """Body, event, attempts and reason as they were; it is dead until somebody replays it."""
    (job,) = station.enqueue(config='{"label": "bug"}')
    station.bury("HTTP 404")
    before = body_and_event(station, job)
    export(station, file)
    clear(station)
    assert bring_in(station, file) == (
        0,
        [{"number": 1, "job": job, "verdict": "imported", "detail": "", "is_dry": False}],
    )
    assert body_and_event(station, job) == before
    (shown,) = station.lines("dead", "show", job)
    assert shown["job"]["error"] == "HTTP 404"
    assert [one["error"] for one in shown["attempts"]] == ["HTTP 404"]
    (entry,) = station.lines("audit", "tail")
    assert (entry["verb"], entry["count"], entry["reason"]) == ("import", 1, "moved")
    station.lines("dead", "replay", job, "--reason", "r", "--yes")
    assert station.succeed() == [job]


def test_the_lines_are_to_be_read_and_hold_no_secret(
    station: Station, file: Path, canary: str
) -> None:
    """Id, context, config, error and attempts in words; what is secret is masked, or sealed."""
    (job,) = station.enqueue(
        config=json.dumps({"api_token": canary, "label": "bug"}),
        payload={"action": "pushed", "password": canary},
    )
    station.bury("HTTP 404")
    (line,) = export(station, file, "--event")
    assert (line["id"], line["handler"], line["project"]) == (job, "github#sync", "p-1")
    assert line["context"]["org_slug"] == "org"
    assert line["config"] == {"api_token": "***", "label": "bug"}
    assert line["event"]["payload"] == {"action": "pushed", "password": "***"}
    assert line["attempts"][0]["outcome"] == "dead"
    assert canary not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_export_for_reading_needs_no_key_and_is_not_imported(
    station: Station, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key an export says so and what to do; with --for-reading it goes."""
    station.enqueue()
    station.bury()
    key = "IMBI_AUTH_ENCRYPTION_KEY"
    with monkeypatch.context() as changed:
        changed.delenv(key)
        refused = station.call("dead", "export")
        assert refused.exit_code == 78
        assert key in refused.stderr
        (line,) = export(station, file, "--for-reading")
    assert "sealed" not in line
    code, (found,) = bring_in(station, file)
    assert (code, found["verdict"]) == (1, "refused")
    assert "for reading" in found["detail"]


def test_lines_that_were_tampered_with_are_refused_by_name_and_the_rest_goes_on(
    station: Station, file: Path
) -> None:
    """Changed, cut off, forged, from another installation: none of them comes in."""
    jobs = station.enqueue(projects=["p-1", "p-2", "p-3"])
    (forged,) = station.enqueue(delivery="d-2", projects=["p-4"], signing_key="somebody else's key")
    (unsigned,) = station.enqueue(delivery="d-3", projects=["p-5"], signing_key=None)
    station.bury()
    export(station, file)
    lines = file.read_text().splitlines()
    changed = lines[1].replace('"config": {}', '"config": {"to": "my own server"}')
    assert changed != lines[1]
    sealed = json.loads(lines[2])
    sealed["sealed"] = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()
    elsewhere = json.dumps(sealed)
    newer = json.dumps({**json.loads(lines[0]), "dead_letter": 2})
    file.write_text(
        "\n".join(
            (*("not json", "[]", newer, changed, elsewhere), *lines[3:], lines[0], lines[0][:200])
        )
    )
    clear(station)
    code, found = bring_in(station, file)
    assert code == 1
    told = {one["number"]: (one["job"], one["verdict"], one["detail"]) for one in found}
    assert [told[number][1] for number in sorted(told)] == [*["refused"] * 7, "imported", "refused"]
    assert told[8][0] == jobs[0]
    assert "no JSON" in told[1][2]
    assert "its form is 2" in told[3][2]
    assert told[4][0] == jobs[1]
    assert "changed after it was exported" in told[4][2]
    assert told[5][0] == jobs[2]
    assert "no key of ours opens" in told[5][2]
    assert {told[6][0], told[7][0]} == {forged, unsigned}
    assert all("not signed" in told[number][2] for number in (6, 7))
    assert "cut off" in told[9][2]
    shown = station.call("dead", "import", str(file), "--reason", "again")
    assert shown.exit_code == 1
    assert jobs[1] in shown.stdout
    assert "8 refused, 1 known." in shown.stderr


def test_an_import_is_repeated_without_harm(station: Station, file: Path) -> None:
    """What is here, in whatever state, stays as it is; no byte of Redis changes."""
    station.enqueue(projects=["p-1", "p-2"])
    station.bury()
    first, second = export(station, file)
    clear(station)
    assert bring_in(station, file)[0] == 0
    station.lines("dead", "replay", first["id"], "--reason", "r", "--yes")
    before = snapshot(station)
    code, found = bring_in(station, file)
    assert code == 0
    assert {one["job"]: one["detail"] for one in found} == {
        first["id"]: "it is here already, or was: waiting",
        second["id"]: "it is here already, or was: dead",
    }
    assert snapshot(station) == before


def test_what_was_discarded_comes_back(station: Station, file: Path) -> None:
    """An export is the way back from a discard; its runs go on counting."""
    (job,) = station.enqueue()
    station.bury()
    export(station, file)
    station.lines("dead", "discard", job, "--reason", "r", "--yes")
    assert bring_in(station, file)[0] == 0
    station.lines("dead", "replay", job, "--reason", "r", "--yes")
    station.succeed()
    (shown,) = station.lines("jobs", "show", job)
    assert (shown["job"]["state"], shown["job"]["run"]) == ("succeeded", 2)


def test_a_dry_run_of_an_import_writes_nothing(station: Station, file: Path) -> None:
    """It checks every line all the same, and needs no reason."""
    station.enqueue(projects=["p-1", "p-2"])
    station.bury()
    export(station, file)
    clear(station)
    result = station.call("dead", "import", str(file), "--dry-run")
    assert result.exit_code == 0
    assert result.stderr == "Nothing was changed; would be: 2 imported.\n"
    assert snapshot(station).keys() <= {b"imbi:layout"}
    assert station.call("dead", "import", str(file)).exit_code == 2


def test_letters_are_exported_in_the_order_they_were_enqueued(station: Station, file: Path) -> None:
    """So a replay of what was imported keeps the order of each lane."""
    (early,) = station.enqueue("github#sync", delivery="d-1")
    station.bury()
    (late,) = station.enqueue("github#sync", delivery="d-2")
    station.bury()
    lines = export(station, file, "plugin:github")
    assert [line["id"] for line in lines] == [early, late]
    clear(station)
    bring_in(station, file)
    found = station.lines("dead", "replay", "--all-matching", "--reason", "r", "--yes")
    assert [one["job"] for one in found] == [early, late]


def test_a_file_that_exists_is_gone_on_with_or_left_alone(station: Station, file: Path) -> None:
    """--resume takes the torn end of an interrupted export away and adds what is missing."""
    station.enqueue(projects=[f"p-{n}" for n in range(5)])
    station.bury()
    lines = export(station, file)
    whole = file.read_bytes()
    refused = station.call("dead", "export", "--output", str(file))
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    assert file.read_bytes() == whole
    file.write_bytes(whole[: whole.index(b"\n") + 100])
    resumed = station.call("dead", "export", "--output", str(file), "--resume")
    assert resumed.exit_code == 0
    assert "4 dead letters exported" in resumed.stderr
    again = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["id"] for line in again] == [line["id"] for line in lines]
    other = file.with_name("other")
    other.write_text("something else\n")
    assert station.call("dead", "export", "-o", str(other), "--resume").exit_code == 2
    assert other.read_text() == "something else\n"


def test_stdout_is_lines_alone_and_feeds_an_import(station: Station) -> None:
    """`dead export | dead import -`, with all talk on stderr."""
    (job,) = station.enqueue()
    station.bury()
    exported = station.call("dead", "export", job)
    assert json.loads(exported.stdout)["id"] == job
    assert exported.stderr == "1 dead letter exported.\n"
    result = station.call(
        "dead", "import", "-", "--reason", "r", "--json", text=f"{exported.stdout}\n\n"
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verdict"] == "known"


def test_an_interrupted_import_is_repeated(station: Station, file: Path) -> None:
    """Ctrl-C ends it with 130, says how far it came, and loses nothing."""
    station.enqueue(projects=[f"p-{n}" for n in range(8)])
    station.bury()
    export(station, file)
    clear(station)
    arguments = ["dead", "import", str(file), "--reason", "r", "--rate", "2/s", "--json"]
    with terminal(*arguments) as opened:
        assert opened.process.stdout is not None
        opened.process.stdout.readline()
        opened.wait_for("Importing")
        opened.process.send_signal(signal.SIGINT)
        assert opened.end() == 130
        assert b"Run it again" in opened.screen
    found = len(station.lines("dead", "list"))
    assert 0 < found < 8
    code, again = bring_in(station, file)
    assert code == 0
    assert sum(one["verdict"] == "known" for one in again) == found
    assert len(station.lines("dead", "list")) == 8


def test_a_long_file_is_streamed(station: Station, file: Path) -> None:
    """Two thousand letters in some hundred calls, each of them once; a pipe may close early."""
    for number in range(20):
        station.enqueue(delivery=f"d-{number}", projects=[f"p-{n}" for n in range(100)])
        station.bury()
    assert len(export(station, file)) == 2_000
    clear(station)
    code, found = bring_in(station, file)
    assert (code, len(found)) == (0, 2_000)
    assert {one["verdict"] for one in found} == {"imported"}
    early = subprocess.run(  # noqa: S602 - a pipe of our own
        f"{COMMAND} dead export | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert len(early.stdout.splitlines()) == 1
    assert early.stderr == ""
