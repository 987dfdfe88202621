"""`dead list`, `dead show` and `dead replay` against a real Redis."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from station import SIGNING_KEY, Station

from imbi_sdk.queue import Signer, keys
from imbi_sdk.queue.wire import decode

GOOD = '[{"path": "/a", "from": "/payload/b"}]'
UPDATE = "gateway-actions#update_project"


def body_of(station: Station, job: str) -> bytes:
    async def work(redis: Redis) -> bytes:
        return await redis.get(f"{keys.BODY}{job}") or b""

    return station.do(work)


def state_of(station: Station, job: str) -> str:
    return str(station.lines("jobs", "show", job)[0]["job"]["state"])


def snapshot(station: Station) -> dict[bytes, bytes]:
    async def work(redis: Redis) -> dict[bytes, bytes]:
        return {key: await redis.dump(key) async for key in redis.scan_iter()}

    return station.do(work)


def test_dead_letters_are_listed_with_their_reason(station: Station) -> None:
    """Newest first; filters by handler and by a part of the reason, in any case."""
    (first,) = station.enqueue("github#sync", projects=["p-1"])
    station.bury("HTTP 404")
    (second,) = station.enqueue("demo#work", projects=["p-2"])
    station.bury("no such label")
    assert [line["job"]["id"] for line in station.lines("dead", "list")] == [second, first]
    (found,) = station.lines("dead", "list", "--reason-contains", "LABEL")
    assert found["job"]["id"] == second
    assert found["job"]["reason"] == "permanent error"
    assert found["has_event"] is True
    (found,) = station.lines("dead", "list", "--handler", "github")
    assert found["job"]["id"] == first


def test_a_dead_letter_is_shown_with_its_attempts(station: Station) -> None:
    """The same page as a job's; a job that is not dead is refused."""
    (job,) = station.enqueue()
    refused = station.call("dead", "show", job)
    assert refused.exit_code == 4
    assert f"jobs show {job}" in refused.stderr
    station.bury("HTTP 404")
    result = station.call("dead", "show", job)
    assert result.exit_code == 0
    assert "HTTP 404" in result.stdout
    assert "1.1" in result.stdout
    assert station.call("dead", "show", "nope").exit_code == 3


def test_a_replay_runs_a_dead_letter_again_and_is_audited(station: Station) -> None:
    """It waits at the tail of its lane, and the audit knows why."""
    (job,) = station.enqueue()
    station.bury()
    (done,) = station.lines("dead", "replay", job, "--reason", "the label is there now", "--yes")
    assert (done["job"], done["verdict"]) == (job, "replayed")
    assert state_of(station, job) == "waiting"

    async def audit(redis: Redis) -> dict[bytes, bytes]:
        ((_, entry),) = await redis.xrange(keys.AUDIT)
        return dict(entry)

    entry = station.do(audit)
    assert entry[b"reason"] == b"the label is there now"
    assert b"@" in entry[b"actor"]
    assert station.succeed() == [job]


def test_a_dry_run_writes_nothing(station: Station) -> None:
    """Every byte of Redis is as before, and it says what would happen."""
    (job,) = station.enqueue()
    station.bury()
    before = snapshot(station)
    result = station.call("dead", "replay", job, "nope", "--dry-run", "--json")
    assert result.exit_code == 1
    found = {line["job"]: line["verdict"] for line in map(json.loads, result.stdout.splitlines())}
    assert found == {job: "ready", "nope": "missing"}
    assert snapshot(station) == before


def test_a_replay_without_a_reason_is_a_usage_error(station: Station) -> None:
    """The audit needs it, so nothing happens without it."""
    (job,) = station.enqueue()
    station.bury()
    result = station.call("dead", "replay", job, "--yes")
    assert result.exit_code == 2
    assert "--reason" in result.stderr
    assert state_of(station, job) == "dead"


def test_a_replay_asks_only_where_somebody_can_answer(station: Station) -> None:
    """Without a terminal and without --yes nothing is replayed."""
    (job,) = station.enqueue()
    station.bury()
    result = station.call("dead", "replay", job, "--reason", "r", text="y\n")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert state_of(station, job) == "dead"


def test_all_matching_replays_what_the_filters_name(station: Station) -> None:
    """And nothing else; without ids or --all-matching there is nothing to do."""
    station.enqueue("github#sync", "demo#work", projects=["p-1", "p-2"])
    station.bury()
    done = station.lines(
        *("dead", "replay", "--all-matching", "--handler", "demo#work"),
        *("--reason", "mended", "--yes"),
    )
    assert [line["handler"] for line in done] == ["demo#work", "demo#work"]
    assert len(station.lines("dead", "list")) == 2
    assert station.call("dead", "replay", "--reason", "r", "--yes").exit_code == 2
    both = station.call("dead", "replay", "x", "--all-matching", "--reason", "r", "--yes")
    assert both.exit_code == 2


def test_a_lane_gets_its_jobs_back_in_their_old_order(station: Station) -> None:
    """Whatever the order of the ids on the command line."""
    jobs = [station.enqueue(delivery=f"d-{n}")[0] for n in range(3)]
    for _ in jobs:
        station.bury()
    station.lines("dead", "replay", *reversed(jobs), "--reason", "r", "--yes")
    assert [station.succeed() for _ in jobs] == [[job] for job in jobs]


def test_a_replay_warns_when_later_jobs_of_the_lane_ran(station: Station) -> None:
    """An old state could overwrite a newer one: whoever replays must know."""
    (job,) = station.enqueue(delivery="d-1")
    station.enqueue(delivery="d-2")
    station.bury()
    station.succeed()
    result = station.call("dead", "replay", job, "--dry-run")
    assert "Later jobs of their lanes have already run for 1" in result.stderr
    (done,) = station.lines("dead", "replay", job, "--reason", "r", "--yes")
    assert done["later_ran"] is True


def test_what_cannot_be_replayed_is_said_and_the_rest_is_done(station: Station) -> None:
    """One that is not dead keeps no other from running; the exit code is 1."""
    (dead,) = station.enqueue(delivery="d-1", projects=["p-1"])
    station.bury()
    (alive,) = station.enqueue(delivery="d-2", projects=["p-2"])
    result = station.call("dead", "replay", alive, dead, "--reason", "r", "--yes", "--json")
    assert result.exit_code == 1
    found = {line["job"]: line["verdict"] for line in map(json.loads, result.stdout.splitlines())}
    assert found == {alive: "not dead", dead: "replayed"}


def test_a_letter_whose_event_is_gone_is_not_replayed(station: Station) -> None:
    """It says what helps: a new delivery."""
    (job,) = station.enqueue(delivery="d-1")
    station.bury()

    async def lose(redis: Redis) -> None:
        await redis.delete(f"{keys.EVENT}d-1")

    station.do(lose)
    result = station.call("dead", "replay", job, "--reason", "r", "--yes", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["verdict"], "deliver again" in found["detail"]) == ("event gone", True)


def test_a_new_config_is_signed_and_everything_else_stays(station: Station, tmp_path: Path) -> None:
    """The body differs in its config and its signature only."""
    (job,) = station.enqueue(UPDATE, config="[]")
    station.bury()
    before = decode(job, body_of(station, job))
    config = tmp_path / "config.json"
    config.write_text(GOOD)
    (done,) = station.lines(
        "dead", "replay", job, "--config", str(config), "--reason", "pointer mended", "--yes"
    )
    assert done["verdict"] == "replayed"
    after = decode(job, body_of(station, job))
    assert after.is_signed_by(Signer([SecretStr(SIGNING_KEY)]))
    assert after.job.rule.config == GOOD
    same = {"rule", "sig"}
    assert after.job.model_dump(exclude=same) == before.job.model_dump(exclude=same)


@pytest.mark.parametrize("config", ['{"a": 1}', '[{"path": "/a"}]', "not json"])
def test_a_config_that_does_not_fit_is_refused_before_anything_is_written(
    station: Station, tmp_path: Path, config: str
) -> None:
    """Today's config model decides; Redis is untouched."""
    (job,) = station.enqueue(UPDATE, config=GOOD)
    station.bury()
    before = snapshot(station)
    path = tmp_path / "config.json"
    path.write_text(config)
    result = station.call("dead", "replay", job, "--config", str(path), "--reason", "r", "--yes")
    assert result.exit_code == (2 if config == "not json" else 1)
    assert snapshot(station) == before


def test_a_config_from_stdin_will_do(station: Station) -> None:
    """`--config -` reads it from there."""
    (job,) = station.enqueue(UPDATE, config="[]")
    station.bury()
    result = station.call(
        "dead", "replay", job, "--config", "-", "--reason", "r", "--yes", text=GOOD
    )
    assert result.exit_code == 0
    assert decode(job, body_of(station, job)).job.rule.config == GOOD


def test_a_forged_job_is_not_made_a_genuine_one(station: Station, tmp_path: Path) -> None:
    """What our keys do not vouch for is never signed anew."""
    (forged,) = station.enqueue(UPDATE, signing_key="the key of somebody else")
    (unsigned,) = station.enqueue(UPDATE, delivery="d-2", projects=["p-2"], signing_key=None)
    station.bury()
    path = tmp_path / "config.json"
    path.write_text(GOOD)
    result = station.call(
        *("dead", "replay", forged, unsigned, "--config", str(path)),
        *("--reason", "r", "--yes", "--json"),
    )
    assert result.exit_code == 1
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["verdict"] for line in found] == ["refused", "refused"]
    assert all("not signed with a key of ours" in line["detail"] for line in found)
    assert state_of(station, forged) == "dead"
