"""`dead groups`, and what one does with a group: replay at a pace, or throw it away."""

import json
import signal
import time
from importlib.resources import files

import pytest
from redis.asyncio import Redis
from station import Station
from terminal import screen, terminal

from imbi_sdk.queue import keys

UPDATE = "gateway-actions#update_project"
GOOD = '[{"path": "/a", "from": "/payload/b"}]'


@pytest.fixture
def buried(station: Station) -> Station:
    """Three that differ in their numbers, one of another status, one of another handler."""
    for nth, error in enumerate(
        ["HTTP 404 for 17", "HTTP 404 for 18", "HTTP 404 for 9", "HTTP 503"]
    ):
        station.enqueue("github#sync", delivery=f"d-{nth}", projects=[f"p-{nth}"])
        station.bury(error)
    station.enqueue("demo#work", delivery="d-9", projects=["p-9"])
    station.bury("HTTP 404 for 17")
    return station


def dead(station: Station) -> list[str]:
    return [line["job"]["id"] for line in station.lines("dead", "list")]


def test_a_group_is_one_handler_and_one_error(buried: Station) -> None:
    """Numbers do not matter, but for the status of a reply; the largest group comes first."""
    found = buried.lines("dead", "groups")
    assert [group["count"] for group in found] == [3, 1, 1]
    first = found[0]
    assert (first["handler"], first["error"]) == ("github#sync", "HTTP 404 for 9")
    assert first["first"] <= first["last"]
    assert all(group["hint"] for group in found)
    assert len({group["id"] for group in found}) == 3
    assert [group["count"] for group in buried.lines("dead", "groups", "project:p-3")] == [1]
    told = buried.call("dead", "groups")
    assert f"--group {first['id']}" in told.stderr
    assert "5 dead letters in 3 groups" in told.stderr


HELD = "it held its lane too long while others of its integration succeeded: "
LONG = "the service answered POST /repos/acme/api/releases with something that it never should: "


@pytest.mark.parametrize("beginning", [HELD, LONG])
def test_groups_that_begin_alike_are_told_apart(station: Station, beginning: str) -> None:
    """On a screen of 40 columns, too: by what their errors do not have in common."""
    ends = ("HTTP 404 for the branch main", "HTTP 409 with a conflict of tags")
    for nth, end in enumerate(ends):
        station.enqueue("github#sync", delivery=f"d-{nth}", projects=[f"p-{nth}"])
        station.bury(beginning + end)
    for columns in (40, 200):
        shown = " ".join(screen("dead", "groups", columns=columns).split())
        assert [end.removeprefix("HTTP ") in shown for end in ends] == [True, True]
        assert len(shown) < 1_000
    assert (beginning == HELD) is ("overtaken: HTTP 404" in shown)


def test_the_script_that_buries_says_it_so() -> None:
    """Its words are the ones that a list leaves out."""
    script = files("imbi_worker.queue.scripts").joinpath("finish.lua").read_text()
    assert f"error = '{HELD}'" in script


def test_a_group_is_replayed_and_nothing_else(buried: Station) -> None:
    """Its id is all that is needed."""
    group = buried.lines("dead", "groups")[0]["id"]
    done = buried.lines("dead", "replay", "--group", group, "--reason", "r", "--yes")
    assert [line["verdict"] for line in done] == ["replayed"] * 3
    assert len(dead(buried)) == 2
    missing = buried.call("dead", "replay", "--group", group, "--reason", "r", "--yes")
    assert missing.exit_code == 3
    assert "dead groups" in missing.stderr


def test_what_would_only_die_again_stays_where_it_is(station: Station) -> None:
    """Today's config model is asked first; the reason names the field, never the value."""
    (bad,) = station.enqueue(UPDATE, projects=["p-1"], config='[{"path": "canary-4f1d"}]')
    (good,) = station.enqueue(UPDATE, delivery="d-2", projects=["p-2"], config=GOOD)
    station.bury("HTTP 503")
    (group,) = [one["id"] for one in station.lines("dead", "groups")]
    result = station.call("dead", "replay", "--group", group, "--reason", "r", "--yes", "--json")
    assert result.exit_code == 1
    found = {line["job"]: line for line in map(json.loads, result.stdout.splitlines())}
    assert {job: one["verdict"] for job, one in found.items()} == {
        bad: "would fail",
        good: "replayed",
    }
    assert "from" in found[bad]["detail"]
    assert "canary-4f1d" not in result.output
    assert dead(station) == [bad]


def test_filters_choose_without_a_further_flag(buried: Station) -> None:
    """A filter is explicit enough; only everything wants --all-matching."""
    done = buried.lines("dead", "replay", "plugin:demo", "--reason", "r", "--yes")
    assert [line["handler"] for line in done] == ["demo#work"]
    wrong = buried.call("dead", "replay", "plugn:demo", "--reason", "r", "--yes")
    assert wrong.exit_code == 2
    assert "plugn:demo\n  ^^^^^" in wrong.stderr
    assert buried.call("dead", "list", "'error").exit_code == 2
    assert buried.call("dead", "list", "error:HTTP 404", "--json").stdout.count("\n") == 3


def test_a_replay_keeps_its_rate(buried: Station) -> None:
    """Three of them at ten a second take a fifth of a second at least."""
    group = buried.lines("dead", "groups")[0]["id"]
    began = time.monotonic()
    buried.lines("dead", "replay", "--group", group, "--rate", "10/s", "--reason", "r", "--yes")
    assert time.monotonic() - began >= 0.2
    wrong = buried.call("dead", "replay", "--all-matching", "--rate", "fast", "--dry-run")
    assert wrong.exit_code == 2


def test_an_interrupted_replay_says_how_far_it_came_and_goes_on(buried: Station) -> None:
    """With a bar at a terminal; the same command does the rest."""
    arguments = ("dead", "replay", "--all-matching", "--reason", "r", "--yes")
    with terminal(*arguments, "--rate", "6/m") as opened:
        opened.wait_for(r"1/5")
        opened.process.send_signal(signal.SIGINT)
        assert opened.end() == 130
        assert b"Stopped: 1 replayed" in opened.screen
        assert b"Traceback" not in opened.screen
    assert len(dead(buried)) == 4
    assert len(buried.lines(*arguments)) == 4
    assert dead(buried) == []


def test_the_reason_of_a_replay_passes_the_redactor(buried: Station) -> None:
    """What stands in the audit stays there."""
    secret = "ghp_" + "a1B2" * 9
    buried.lines("dead", "replay", "plugin:demo", "--reason", f"token {secret}", "--yes")
    (entry,) = buried.lines("audit", "tail")
    assert secret not in json.dumps(entry)
    assert entry["reason"]


def test_a_discard_takes_a_dead_letter_and_all_it_held(buried: Station) -> None:
    """Body, event and hash go, the audit stays; the matrix of its delivery keeps a word."""
    (job,) = [line["job"]["id"] for line in buried.lines("dead", "list", "plugin:demo")]
    refused = buried.call("dead", "discard", job, "--yes")
    assert (refused.exit_code, "--reason" in refused.stderr) == (2, True)
    (planned,) = buried.lines("dead", "discard", job, "--dry-run")
    assert (planned["verdict"], planned["is_dry"]) == ("discarded", True)
    assert job in dead(buried)
    (done,) = buried.lines("dead", "discard", job, "--reason", "gone", "--yes")
    assert (done["verdict"], done["is_dry"]) == ("discarded", False)
    assert job not in dead(buried)

    async def left(redis: Redis) -> int:
        names = (f"{keys.JOB}{job}", f"{keys.BODY}{job}", f"{keys.EVENT}d-9")
        return int(await redis.exists(*names))

    assert buried.do(left) == 0
    (entry,) = buried.lines("audit", "tail")
    assert (entry["verb"], entry["scope"], entry["count"]) == ("discard", f"job:{job}", 1)


def test_a_discard_says_what_it_cannot_do(buried: Station) -> None:
    """One that is not dead or not there keeps no other; the exit code is 1."""
    (alive,) = buried.enqueue(delivery="d-20", projects=["p-20"])
    (gone,) = [line["job"]["id"] for line in buried.lines("dead", "list", "plugin:demo")]
    result = buried.call("dead", "discard", alive, "nope", gone, "--reason", "r", "--yes", "--json")
    assert result.exit_code == 1
    found = {line["job"]: line["verdict"] for line in map(json.loads, result.stdout.splitlines())}
    assert found == {alive: "not dead", "nope": "missing", gone: "discarded"}


def test_a_whole_group_is_thrown_away(buried: Station) -> None:
    """And the audit names it."""
    group = buried.lines("dead", "groups")[0]["id"]
    assert len(buried.lines("dead", "discard", "--group", group, "--reason", "r", "--yes")) == 3
    assert len(dead(buried)) == 2
    assert buried.lines("audit", "tail")[0]["scope"] == f"group:{group}"


def test_a_single_letter_that_cannot_be_discarded_is_refused(buried: Station) -> None:
    """An unknown id exits with 3, one that is not dead with 4; nothing is done."""
    unknown = buried.call("dead", "discard", "nope", "--reason", "r", "--yes")
    assert (unknown.exit_code, "no dead letter 'nope'" in unknown.stderr) == (3, True)
    (waiting,) = buried.enqueue("github#sync", delivery="d-new", projects=["p-new"])
    alive = buried.call("dead", "discard", waiting, "--reason", "r", "--yes")
    assert (alive.exit_code, "is waiting, not dead" in alive.stderr) == (4, True)
    assert len(dead(buried)) == 5


@pytest.mark.parametrize("words", [("list",), ("groups",), ("replay", "--dry-run"), ("export",)])
def test_dead_letters_of_another_state_are_a_contradiction(
    buried: Station, words: tuple[str, ...]
) -> None:
    """`state:dead` may be said; any other state is no filter of dead letters."""
    assert buried.call("dead", *words, "state:dead").exit_code == 0
    refused = buried.call("dead", *words, "state:waiting")
    assert refused.exit_code == 2
    assert "A dead letter is dead, and not waiting." in refused.stderr


@pytest.mark.parametrize(
    ("term", "count"),
    [
        ("handler:demo#work", 1),
        ("plugin:github", 4),
        ("project:p-3", 1),
        ("delivery:d-9", 1),
        ("integration:nobody", 0),
        ("error:503", 1),
        ("age<1h", 5),
        ("age>1h", 0),
        ("attempts>=1", 5),
        ("attempts:0", 0),
    ],
)
def test_every_filter_means_the_same_in_lists_and_in_groups(
    buried: Station, term: str, count: int
) -> None:
    """Lists, groups and bulk changes read no more of a dead letter than the filter asks for."""
    assert len(buried.lines("dead", "list", term)) == count
    assert sum(group["count"] for group in buried.lines("dead", "groups", term)) == count
    told = buried.lines("dead", "discard", term, "--dry-run")
    assert len(told) == count
