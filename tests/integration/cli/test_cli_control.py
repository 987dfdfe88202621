"""`queue`, `holds`, `jobs why|cancel|retry` and `audit tail` against a real Redis."""

import json
import re
import signal
import subprocess
import time
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis
from station import Station
from terminal import COMMAND, terminal

from imbi_sdk.queue import keys

WHY = ("--reason", "repository deleted")
CHANGES = [
    ("queue", "pause"),
    ("queue", "drain"),
    ("holds", "add", "plugin:gh-1", "--for", "1h"),
    ("jobs", "cancel", "--all-matching", "--yes"),
    ("jobs", "retry", "--all-matching", "--yes"),
]


def snapshot(station: Station) -> dict[bytes, bytes]:
    async def work(redis: Redis) -> dict[bytes, bytes]:
        return {key: await redis.dump(key) async for key in redis.scan_iter()}

    return station.do(work)


def retrying(station: Station, error: str = "HTTP 503") -> str:
    """A job between two attempts."""
    (job,) = station.enqueue()
    station.end(station.claim(), "retry", wait_ms=600_000, error=error)
    return job


def why(station: Station, job: str) -> str:
    result = station.call("jobs", "why", job)
    assert result.exit_code == 0
    return result.stdout.strip()


# --- why


def test_why_names_the_retry_and_the_error_before_it(station: Station) -> None:
    """When, and after what."""
    job = retrying(station)
    assert why(station, job).startswith("waiting: until its retry at 20")
    assert "after HTTP 503; and no worker is alive" in why(station, job)
    station.beat()
    assert why(station, job).endswith("after HTTP 503")


def test_why_follows_a_lane_to_its_head(station: Station) -> None:
    """What the job waits for, and what that one waits for in its turn."""
    head = retrying(station)
    (second,) = station.enqueue(delivery="d-2")
    (found,) = station.lines("jobs", "why", second)
    assert found["wait"]["behind"] == found["ahead"]["job"] == head
    assert found["text"].startswith(f"behind {head} in lane ")
    assert "which is waiting: until its retry at" in found["text"]
    assert found["ahead"]["wait"]["kind"] == "retry"


def test_why_tells_no_worker_from_none_that_has_the_plugin(station: Station) -> None:
    """And both from a job that is about to run."""
    (github,) = station.enqueue("github#sync", delivery="d-1")
    (jira,) = station.enqueue("jira#create", delivery="d-2")
    assert "no worker is alive" in why(station, github)
    station.beat()
    assert why(station, github) == "waiting: due: the next free worker takes it"
    assert "the one live worker has not the plugin jira: install it there" in why(station, jira)


def test_why_names_a_pause_before_any_worker_has_looked(station: Station) -> None:
    """By whom, since when and why: the job need not be parked yet."""
    (job,) = station.enqueue()
    station.beat()
    station.call("queue", "pause", "--reason", "moving house")
    told = why(station, job)
    assert told.startswith("waiting: paused: queue by ")
    assert told.endswith("Z (moving house)")
    station.claim()
    assert why(station, job) == told


def test_why_names_a_hold_with_its_end(station: Station) -> None:
    """A handler's hold, with who set it and until when."""
    (job,) = station.enqueue()
    station.call("holds", "add", "handler:github#sync", "--for", "1h", "--reason", "frozen")
    told = why(station, job)
    assert told.startswith("waiting: held: handler:github#sync until 20")
    assert told.endswith("(frozen)")


def test_why_says_when_redis_clock_is_not_there_yet(station: Station) -> None:
    """No worker here has the plugin it was put off for; another one has it."""
    (job,) = station.enqueue("jira#create")
    station.claim()
    assert "the one live worker has not" not in why(station, job)
    Station(station.url, slugs=("jira",)).beat("w2")
    assert "not due before 20" in why(station, job)
    assert "by Redis' clock" in why(station, job)


def test_why_names_the_clock_where_a_stock_client_put_its_job_into_the_future(
    station: Station,
) -> None:
    """Meant so, or a clock ahead of Redis': both moments are told, to be compared."""

    async def work(redis: Redis) -> None:
        ahead = int(time.time() * 1000) + 600_000
        await redis.set("arq:job:early", b"{}", px=60_000)
        await redis.zadd(keys.QUEUE, {"early": ahead})

    station.do(work)
    told = why(station, "early")
    assert re.fullmatch(
        r"waiting: not due before 20\S+ \S+Z by Redis' clock, as the arq client has set it;"
        r" it is 20\S+ \S+Z there, so look at the client's clock if that is wrong",
        told,
    )


def test_why_of_a_job_that_runs_and_of_those_that_ended(station: Station) -> None:
    """Where and since when; what it came to."""
    (job,) = station.enqueue()
    claimed = station.claim("worker-7")
    assert why(station, job).startswith("running: attempt 1 on worker-7 since 20")
    station.end(claimed, "succeeded", status="succeeded")
    assert why(station, job).startswith("succeeded: at 20")
    (dead,) = station.enqueue(delivery="d-2")
    station.bury("HTTP 404")
    assert why(station, dead).endswith("permanent error: HTTP 404")


def test_why_of_an_unknown_job_is_not_found(station: Station) -> None:
    """Exit code 3, with the next step."""
    result = station.call("jobs", "why", "nope")
    assert result.exit_code == 3
    assert "imbi-worker jobs list" in result.stderr


# --- cancel and retry


def test_a_cancel_is_done_shown_and_audited(station: Station) -> None:
    """The job says by whom, so does the list, so does the audit."""
    (job,) = station.enqueue()
    (done,) = station.lines("jobs", "cancel", job, *WHY, "--yes")
    assert done == {"is_dry": False, "job": job, "verdict": "cancelled", "detail": ""}
    (shown,) = station.lines("jobs", "list")
    assert shown["state"] == "cancelled"
    assert shown["cancelled_by"].endswith(": repository deleted")
    assert "repository deleted" in why(station, job)
    (entry,) = station.lines("audit", "tail")
    assert (entry["verb"], entry["scope"], entry["count"]) == ("cancel", f"job:{job}", 1)
    assert entry["reason"] == "repository deleted"
    assert "@" in entry["actor"]


def test_a_running_job_is_asked_to_end(station: Station) -> None:
    """Until its worker has heard of it, `why` says so."""
    (job,) = station.enqueue()
    station.claim()
    (done,) = station.lines("jobs", "cancel", job, *WHY, "--yes")
    assert done["verdict"] == "asked"
    assert "until its worker hears of the cancel by" in why(station, job)


def test_all_matching_cancels_what_the_filters_name(station: Station) -> None:
    """Waiting, retrying and parked jobs of them; nothing else."""
    station.enqueue("github#sync", "demo#work", projects=["p-1", "p-2"])
    station.call("holds", "add", "handler:github#sync", *WHY)
    station.claim()
    station.enqueue("github#sync", delivery="d-2", projects=["p-1", "p-2"])
    options = ("--handler", "github", "--project", "p-1")
    done = station.lines("jobs", "cancel", "--all-matching", *options, *WHY, "--yes")
    assert [one["verdict"] for one in done] == ["cancelled", "cancelled"]
    left = station.lines("jobs", "list", "--state", "waiting")
    assert {(one["handler"], one["project"]) for one in left} == {("github#sync", "p-2")}
    newest = station.lines("audit", "tail")[-1]
    assert newest["scope"] == "handler:github project:p-1"
    assert newest["count"] == 2


def test_a_thousand_jobs_are_cancelled_in_steps(station: Station) -> None:
    """A bar tells a terminal how far it has come; the audit adds up to all of them."""
    station.enqueue(projects=[f"p-{n}" for n in range(1000)])
    with terminal("jobs", "cancel", "--all-matching", *WHY, "--yes", "--json") as shown:
        assert shown.process.stdout is not None
        lines = shown.process.stdout.read().splitlines()
        assert shown.end() == 0
        assert b"Cancelling" in shown.screen
        assert b"1,000 cancelled." in shown.screen
    assert len(lines) == 1000
    assert sum(entry["count"] for entry in station.lines("audit", "tail")) == 1000
    assert station.lines("jobs", "list", "--state", "waiting") == []


def test_a_retry_runs_a_job_before_its_time(station: Station) -> None:
    """Nobody is asked for a single one: it would have run anyway."""
    job = retrying(station)
    (done,) = station.lines("jobs", "retry", job, "--reason", "GitHub is back")
    assert done["verdict"] == "due"
    assert [one.id for one in station.claim()] == [job]


def test_a_retry_keeps_to_lane_and_hold_and_says_so(station: Station) -> None:
    """Exit code 4, naming the job ahead or the hold."""
    head = retrying(station)
    (second,) = station.enqueue(delivery="d-2")
    refused = station.call("jobs", "retry", second, "--reason", "r")
    assert refused.exit_code == 4
    assert f"waits for {head} of its lane" in refused.stderr
    station.call("queue", "pause", "--reason", "r")
    refused = station.call("jobs", "retry", head, "--reason", "r")
    assert refused.exit_code == 4
    assert "hold queue stands" in refused.stderr


def test_all_matching_retries_what_can_go(station: Station) -> None:
    """The jobs behind in their lanes are counted, and are no failure."""
    head = retrying(station)
    station.enqueue(delivery="d-2")
    result = station.call("jobs", "retry", "--all-matching", "--reason", "r", "--yes")
    assert result.exit_code == 0
    assert head in result.stdout
    assert len(result.stdout.splitlines()) == 2
    assert "1 behind" in result.stderr


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_single_job_that_is_unknown_or_has_ended_is_refused(station: Station, verb: str) -> None:
    """3 and 4; a dead one is told how to run again."""
    assert station.call("jobs", verb, "nope", *WHY, "--yes").exit_code == 3
    (job,) = station.enqueue()
    station.bury()
    refused = station.call("jobs", verb, job, *WHY, "--yes", "--json")
    assert refused.exit_code == 4
    assert f"dead replay {job}" in json.loads(refused.stderr)["error"]["hint"]


def test_of_several_jobs_those_that_cannot_be_cancelled_are_listed(station: Station) -> None:
    """The others are cancelled; exit code 1."""
    (job,) = station.enqueue()
    result = station.call("jobs", "cancel", job, "nope", *WHY, "--yes", "--json")
    assert result.exit_code == 1
    found = {line["job"]: line["verdict"] for line in map(json.loads, result.stdout.splitlines())}
    assert found == {job: "cancelled", "nope": "missing"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", "cancel"),
        ("jobs", "cancel", "x", "--all-matching"),
        ("jobs", "cancel", "x", "--project", "p"),
        ("jobs", "cancel", "x", "--state", "waiting"),
        ("jobs", "cancel", "--all-matching", "--state", "dead"),
        ("jobs", "retry"),
        ("queue", "pause", "--plugin-id", "a", "--handler", "b#c"),
        ("queue", "pause", "--plugin-id", " "),
        ("queue", "pause", "--for", "soon"),
        ("queue", "pause", "--for", "0s"),
        ("queue", "pause", "--for", "99999999d"),
        ("queue", "drain", "--timeout", "late"),
        ("holds", "add", "everything"),
        ("holds", "add", "plugin:"),
        ("holds", "add", "handler:no-action"),
        ("audit", "tail", "--limit", "0"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    station: Station, arguments: tuple[str, ...]
) -> None:
    """Exit code 2; nothing is written."""
    station.enqueue()
    before = snapshot(station)
    reason = () if arguments[0] == "audit" else WHY
    result = station.call(*arguments, *reason)
    assert result.exit_code == 2, result.output
    assert snapshot(station) == before


@pytest.mark.parametrize("arguments", CHANGES)
def test_without_a_reason_nothing_is_changed(station: Station, arguments: tuple[str, ...]) -> None:
    """The audit needs it; blanks are none."""
    station.enqueue()
    before = snapshot(station)
    for reason in ((), ("--reason", "  ")):
        result = station.call(*arguments, *reason)
        assert result.exit_code == 2
        assert "--reason" in result.stderr
    assert snapshot(station) == before


@pytest.mark.parametrize("arguments", CHANGES)
def test_a_dry_run_says_what_would_happen_and_writes_nothing(
    station: Station, arguments: tuple[str, ...]
) -> None:
    """Every byte of Redis is as before."""
    retrying(station)
    before = snapshot(station)
    result = station.call(*arguments, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "would" in result.stderr
    assert snapshot(station) == before


def test_a_secret_in_a_reason_is_masked_before_it_is_kept(station: Station, canary: str) -> None:
    """Neither the hold, nor the audit, nor a job shows it."""
    (job,) = station.enqueue()
    reason = f"token={canary} https://u:{canary}@example.org"
    station.call("holds", "add", "plugin:x", "--reason", reason)
    station.call("jobs", "cancel", job, "--reason", reason, "--yes")
    assert all(canary.encode() not in dump for dump in snapshot(station).values())
    assert "example.org" in station.call("holds", "list").stdout


# --- holds and the queue


def test_a_pause_stops_and_a_resume_brings_back(station: Station) -> None:
    """The whole queue, from the command line, with no worker's help."""
    jobs = station.enqueue(projects=["p-1", "p-2"])
    (held,) = station.lines("queue", "pause", "--reason", "moving")
    assert (held["verdict"], held["until"], held["before"]) == ("held", None, None)
    assert station.claim() == []
    (found,) = station.lines("holds", "list")
    assert (found["scope"], found["kind"], found["parked"]) == ("queue", "operator", 2)
    assert (found["until"], found["reason"]) == (None, "moving")
    (done,) = station.lines("queue", "resume", "--reason", "moved")
    assert done == {"scope": "queue", "given_back": 2, "left": 0, "is_planned": False}
    assert sorted(job.id for job in station.claim()) == sorted(jobs)
    assert station.call("queue", "resume", "--reason", "moved").exit_code == 3


def test_a_pause_may_mean_one_integration_or_one_handler(station: Station) -> None:
    """`--plugin-id` and `--handler` are the scopes of `holds`."""
    station.lines("queue", "pause", "--plugin-id", "gh-1", "--reason", "r")
    station.lines("queue", "pause", "--handler", "github#sync", "--for", "1h", "--reason", "r")
    found = {one["scope"]: one["until"] for one in station.lines("holds", "list")}
    assert found.keys() == {"plugin:gh-1", "handler:github#sync"}
    assert found["plugin:gh-1"] is None
    until = datetime.fromisoformat(found["handler:github#sync"])
    assert 3500 < (until - datetime.now(UTC)).total_seconds() <= 3600


def test_a_long_line_comes_back_to_the_last_job(station: Station) -> None:
    """One command sees all of them back, and tells how far it is."""
    station.enqueue(projects=[f"p-{n}" for n in range(2001)])
    station.call("queue", "pause", "--reason", "r")
    while station.lines("queue", "stats")[0]["parked"] < 2001:
        assert station.claim() == []
    result = station.call("queue", "resume", "--reason", "r")
    assert "back: 1,000, to go: 1,001 …" in result.stderr
    assert "back: 2,001." in result.stderr
    assert station.lines("queue", "stats")[0]["stats"]["due"] == 2001


def test_a_rate_limit_is_not_shortened_but_may_be_removed(station: Station) -> None:
    """Exit code 4 with both ways on."""
    station.enqueue()
    until = int(datetime.now(UTC).timestamp() * 1000) + 3_600_000
    limited = {"wait_ms": until, "hold": "plugin:x", "reason": "429", "counts": False}
    station.end(station.claim(), "deferred", **limited)
    refused = station.call("holds", "add", "plugin:x", "--for", "1m", "--reason", "r")
    assert refused.exit_code == 4
    assert "holds remove" in refused.stderr
    (done,) = station.lines("holds", "remove", "plugin:x", "--reason", "the limit was raised")
    assert done["given_back"] == 1


def test_a_drain_waits_until_nothing_runs_and_leaves_the_queue_paused(station: Station) -> None:
    """What runs ends; then the exit code is 0."""
    station.enqueue()
    claimed = station.claim()
    timed_out = station.call("queue", "drain", "--timeout", "0.1s", "--reason", "r", "--json")
    assert timed_out.exit_code == 1
    assert json.loads(timed_out.stdout) == {"running": 1, "is_drained": False, "is_dry": False}
    assert "jobs list --state running" in timed_out.stderr
    arguments = [COMMAND, "queue", "drain", "--reason", "r"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stderr is not None
        while "Running: 1." not in process.stderr.readline():
            assert process.poll() is None
        station.end(claimed, "succeeded", status="succeeded")
        assert "Running: 0." in process.stderr.read()
        assert process.wait(timeout=30) == 0
    assert [one["scope"] for one in station.lines("holds", "list")] == ["queue"]


def test_the_figures_of_the_queue_add_up(station: Station) -> None:
    """Due, running, later, behind, parked, dead; holds and endings below."""
    station.enqueue(delivery="d-1", projects=["p-1"])
    station.succeed()
    station.enqueue(delivery="d-2", projects=["p-2"])
    station.bury()
    station.enqueue(delivery="d-3", projects=["p-3"])
    station.claim()
    station.enqueue("demo#work", delivery="d-4")
    station.enqueue("demo#work", delivery="d-5")
    station.call("holds", "add", "handler:demo#work", "--reason", "r")
    station.claim()
    station.enqueue(delivery="d-6", projects=["p-6"])
    (found,) = station.lines("queue", "stats")
    assert (found["running"], found["parked"], found["stats"]["due"]) == (1, 1, 1)
    assert found["stats"]["behind"] == 2
    assert found["oldest_due_seconds"] >= 0
    shown = station.call("queue", "stats").stdout
    assert "handler:demo#work" in shown
    assert "github#sync" in shown


# --- the audit


def test_the_audit_tells_of_every_change_in_order(station: Station) -> None:
    """When, who, what, how many and why; the newest at the end."""
    (dead,) = station.enqueue(delivery="d-1")
    station.bury()
    (job,) = station.enqueue(delivery="d-2", projects=["p-2"])
    station.call("queue", "pause", "--for", "1h", "--reason", "one")
    station.call("queue", "resume", "--reason", "two")
    station.call("jobs", "cancel", job, "--reason", "three", "--yes")
    station.call("dead", "replay", dead, "--reason", "four", "--yes")
    station.call("jobs", "retry", dead, "--reason", "changes nothing")
    found = station.lines("audit", "tail")
    assert [(one["verb"], one["reason"]) for one in found] == [
        ("hold", "one"),
        ("unhold", "two"),
        ("cancel", "three"),
        ("replay", "four"),
    ]
    assert station.lines("audit", "tail", "--limit", "1") == found[-1:]
    shown = station.call("audit", "tail").stdout.splitlines()
    assert len(shown) == 4
    assert f"job:{dead}" in shown[-1]
    assert "(1 job)" in shown[-1]
    assert "until 20" in shown[0]


def test_the_audit_is_followed_until_ctrl_c(station: Station) -> None:
    """Each line comes as it is written, into a pipe as well."""
    arguments = [COMMAND, "audit", "tail", "--follow", "--json"]
    station.call("holds", "add", "plugin:a", "--reason", "before")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["reason"] == "before"
        station.call("holds", "add", "plugin:b", "--reason", "after")
        assert json.loads(process.stdout.readline())["reason"] == "after"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130


def test_an_entry_of_another_version_is_still_shown(station: Station) -> None:
    """Fields that are missing are empty, fields that are new are shown."""

    async def write(redis: Redis) -> None:
        await redis.xadd(keys.AUDIT, {"verb": "dance", "tune": "waltz\x1b[2J"})

    station.do(write)
    (found,) = station.lines("audit", "tail")
    assert (found["verb"], found["at"], found["count"]) == ("dance", None, 0)
    shown = station.call("audit", "tail").stdout
    assert "waltz" in shown
    assert "\x1b" not in shown


# --- the questions


@pytest.mark.parametrize("command", ["cancel", "replay"])
def test_at_a_terminal_it_asks_on_stderr_and_a_no_changes_nothing(
    station: Station, command: str
) -> None:
    """Stdout stays clean for a pipe; a mere Enter is a no; a yes goes on."""
    (job,) = station.enqueue()
    arguments = ("jobs", "cancel", job, *WHY)
    if command == "replay":
        station.bury()
        arguments = ("dead", "replay", job, *WHY)
    before = snapshot(station)
    for answer in ("n\n", "\n"):
        with terminal(*arguments) as shown:
            shown.wait_for("y/N")
            shown.type(answer)
            assert shown.end() == 1
            assert b"Nothing was" in shown.screen
            assert shown.process.stdout is not None
            assert shown.process.stdout.read() == b""
        assert snapshot(station) == before
    with terminal(*arguments) as shown:
        shown.wait_for("y/N")
        shown.type("y\n")
        assert shown.end() == 0
    assert snapshot(station) != before


@pytest.mark.parametrize("arguments", [("jobs", "cancel"), ("dead", "replay")])
def test_ctrl_c_at_the_question_is_a_no(station: Station, arguments: tuple[str, str]) -> None:
    """At once, with exit code 130 and without a traceback."""
    (job,) = station.enqueue()
    if arguments[0] == "dead":
        station.bury()
    before = snapshot(station)
    with terminal(*arguments, job, *WHY) as shown:
        shown.wait_for("y/N")
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 130
        assert b"Traceback" not in shown.screen
    assert snapshot(station) == before
