"""`jobs list` and `jobs show` against a real Redis."""

import json
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis
from station import Station

from imbi_sdk.queue import keys


def by_id(lines: list[dict[str, object]]) -> dict[object, dict[str, object]]:
    return {line["id"]: line for line in lines}


def test_every_state_is_listed_in_the_words_of_the_readme(station: Station) -> None:
    """Waiting, running, succeeded, skipped, dead and cancelled jobs say so."""
    (succeeded,) = station.enqueue(delivery="d-1", projects=["p-1"])
    station.succeed()
    (dead,) = station.enqueue(delivery="d-2", projects=["p-2"])
    station.bury()
    (skipped,) = station.enqueue(delivery="d-3", projects=["p-3"])
    station.end(station.claim(), "skipped", status="skipped", reason="nothing to do")
    (cancelled,) = station.enqueue(delivery="d-4", projects=["p-4"])
    station.end(station.claim(), "cancelled", status="skipped", reason="cancelled")
    (running,) = station.enqueue(delivery="d-5", projects=["p-5"])
    station.claim()
    (waiting,) = station.enqueue(delivery="d-6", projects=["p-6"])
    states = {line["id"]: line["state"] for line in station.lines("jobs", "list")}
    assert states == {
        waiting: "waiting",
        running: "running",
        cancelled: "cancelled",
        skipped: "skipped",
        dead: "dead",
        succeeded: "succeeded",
    }
    for state in set(states.values()):
        found = station.lines("jobs", "list", "--state", str(state))
        assert [line["id"] for line in found] == [id_ for id_, s in states.items() if s == state]


def test_a_waiting_job_says_which_one_it_waits_behind(station: Station) -> None:
    """`behind X in lane L`, with X's id to look at."""
    station.beat()
    first, second, third = (station.enqueue(delivery=f"d-{n}")[0] for n in range(3))
    found = by_id(station.lines("jobs", "list"))
    assert found[first]["wait"] == {
        "kind": "worker",
        "text": "due: the next free worker takes it",
        "until": None,
        "behind": None,
        "hold": None,
    }
    assert found[second]["wait"]["behind"] == first
    lane = found[third]["lane"]
    assert found[third]["wait"]["text"] == f"behind {first} and 1 more in lane {lane}"


def test_a_job_between_two_attempts_says_when_the_next_one_is(station: Station) -> None:
    """The state is waiting; the reason is the retry, with its moment."""
    (job,) = station.enqueue()
    record = json.dumps({"n": 1, "outcome": "retry", "error": "HTTP 503", "retry_in_ms": 60000})
    station.end(station.claim(), "retry", wait_ms=60_000, error="HTTP 503", record=record)
    (found,) = station.lines("jobs", "list", "--state", "waiting")
    assert found["id"] == job
    assert found["wait"]["kind"] == "retry"
    until = datetime.fromisoformat(found["wait"]["until"])
    assert 50 < (until - datetime.now(UTC)).total_seconds() <= 60
    (shown,) = station.lines("jobs", "show", job)
    (attempt,) = shown["attempts"]
    assert (attempt["outcome"], attempt["error"]) == ("retry", "HTTP 503")
    assert attempt["retry_in_seconds"] == 60


def test_a_held_job_names_its_hold(station: Station) -> None:
    """Parked is told as waiting, under which hold, until when and why."""
    station.enqueue()
    until = int(datetime.now(UTC).timestamp() * 1000) + 60_000
    jobs = station.claim()
    station.end(jobs, "deferred", wait_ms=until, hold="plugin:x", reason="429", counts=False)
    (found,) = station.lines("jobs", "list")
    assert found["state"] == "waiting"
    assert found["wait"]["hold"] == "plugin:x"
    assert "(429)" in found["wait"]["text"]


def test_a_job_of_a_stock_client_is_shown_before_a_worker_takes_it_in(station: Station) -> None:
    """A body without a hash is a waiting job, not an error."""

    async def work(redis: Redis) -> None:
        await redis.set("arq:job:stranger", b"{}", px=60_000)
        await redis.zadd(keys.QUEUE, {"stranger": 1})

    station.do(work)
    (found,) = station.lines("jobs", "list")
    assert (found["id"], found["state"], found["wait"]["kind"]) == ("stranger", "waiting", "intake")
    assert station.call("jobs", "show", "stranger").exit_code == 0


@pytest.mark.parametrize("state", [None, "waiting", "dead", "succeeded"])
def test_pages_together_are_the_whole_list(station: Station, state: str | None) -> None:
    """Following the cursors gives each job once, and the count of what is left is right."""
    projects = [f"p-{n}" for n in range(7)]
    jobs = station.enqueue(delivery="d-1", projects=projects)
    if state == "dead":
        station.bury()
    elif state == "succeeded":
        station.succeed()
    options = [] if state is None else ["--state", state]
    seen: list[str] = []
    cursor: list[str] = []
    while True:
        result = station.call("jobs", "list", *options, "--limit", "3", "--json", *cursor)
        seen += [json.loads(line)["id"] for line in result.stdout.splitlines()]
        if not result.stderr:
            break
        told = json.loads(result.stderr)
        assert told["more"] == len(jobs) - len(seen)
        cursor = ["--cursor", told["cursor"]]
    assert sorted(seen) == sorted(jobs)
    assert len(seen) == len(jobs)


def test_a_long_list_says_how_much_is_not_shown(station: Station) -> None:
    """The dots are talk: they stand on stderr, with the way to go on."""
    station.enqueue(projects=[f"p-{n}" for n in range(5)])
    station.bury()
    result = station.call("dead", "list", "--limit", "2")
    assert "… 3 more: --cursor dead:" in result.stderr
    assert "more" not in result.stdout


def test_filters_narrow_a_list(station: Station) -> None:
    """By handler, by plugin, by project and by delivery."""
    station.enqueue("github#sync", "github#other", "demo#work", projects=["p-1", "p-2"])
    station.enqueue("demo#work", delivery="d-2", projects=["p-3"])

    def count(*options: str) -> int:
        return len(station.lines("jobs", "list", *options))

    assert count() == 7
    assert count("--handler", "github#sync") == 2
    assert count("--handler", "github") == 4
    assert count("--project", "p-3") == 1
    assert count("--delivery", "d-2") == 1
    assert count("--delivery", "d-2", "--project", "p-1") == 0


def test_a_delivery_is_listed_in_the_order_of_its_rules(station: Station) -> None:
    """Project by project, rule by rule."""
    jobs = station.enqueue("github#b", "github#a", delivery="d-9", projects=["p-1", "p-2"])
    assert [line["id"] for line in station.lines("jobs", "list", "--delivery", "d-9")] == jobs


def test_a_job_that_ended_twice_is_listed_once(station: Station) -> None:
    """The list shows jobs, not endings."""
    (job,) = station.enqueue()
    station.bury()
    station.call("dead", "replay", job, "--reason", "again", "--yes")
    station.succeed()
    (found,) = station.lines("jobs", "list")
    assert (found["id"], found["state"], found["run"]) == (job, "succeeded", 2)
    assert station.lines("jobs", "list", "--state", "dead") == []


def test_config_and_event_are_shown_without_secrets(station: Station, canary: str) -> None:
    """What looks like a secret is masked, whatever the form of the answer."""
    config = json.dumps({"label": "deploy", "api_token": canary, "nested": {"password": [canary]}})
    payload = {"text": "hello", "url": f"https://u:{canary}@example.org/x", "client_secret": canary}
    (job,) = station.enqueue(config=config, payload=payload)
    for options in ([], ["--json"], ["--event"], ["--event", "--json"]):
        result = station.call("jobs", "show", job, *options)
        assert result.exit_code == 0
        assert canary not in result.output
        assert "deploy" in result.output
        assert ("hello" in result.output) is ("--event" in options)


def test_a_job_that_ended_well_tells_where_its_config_went(station: Station) -> None:
    """The body is gone by then, and the page says so."""
    (job,) = station.enqueue()
    station.succeed()
    result = station.call("jobs", "show", job)
    assert result.exit_code == 0
    assert "succeeded" in result.stdout
    assert "deleted at a good end" in result.stderr


def test_control_characters_in_an_error_do_not_reach_the_terminal(station: Station) -> None:
    """An error text must not steer the terminal of who reads it."""
    station.enqueue()
    station.bury("\x1b[2Jgone \x07\u202e[bold]x[/bold]")
    for command in (["dead", "list"], ["jobs", "list"]):
        result = station.call(*command)
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout
        assert "\u202e" not in result.stdout
        assert "[bold]x[/bold]" in result.stdout


def test_an_unknown_job_is_not_found(station: Station) -> None:
    """Exit code 3, with the next step."""
    result = station.call("jobs", "show", "nope")
    assert result.exit_code == 3
    assert "imbi-worker jobs list" in result.stderr


def test_a_foreign_cursor_is_a_usage_error(station: Station) -> None:
    """Exit code 2: nothing is listed from a place that is none."""
    result = station.call("jobs", "list", "--cursor", "elsewhere:1")
    assert result.exit_code == 2
    assert "no cursor of this list" in result.stderr


def test_no_redis_is_an_unavailable_dependency(
    station: Station, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """Exit code 69; the address's password is not repeated."""
    monkeypatch.setenv("REDIS_URL", f"redis://user:{canary}@127.0.0.1:1/0")
    result = station.call("jobs", "list")
    assert result.exit_code == 69
    assert "REDIS_URL" in result.stderr
    assert canary not in result.output


def test_a_missing_setting_is_a_configuration_error(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 78, naming the variable."""
    monkeypatch.delenv("REDIS_URL")
    result = station.call("jobs", "list", "--json")
    assert result.exit_code == 78
    assert "REDIS_URL" in json.loads(result.stderr)["error"]["message"]
