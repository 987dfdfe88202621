"""The JSON API of a running dashboard, on a real Redis."""

from typing import Any

import pytest
from board import Board
from redis.asyncio import Redis

from imbi_sdk.queue import keys
from imbi_worker.dashboard.access import Role
from imbi_worker.dashboard.catalogue import ENDPOINTS
from integration.cli.station import Station

UPDATE = "gateway-actions#update_project"
API = "/api/v1"


def audit(station: Station) -> list[dict[str, str]]:
    async def work(redis: Redis) -> list[dict[str, str]]:
        found = await redis.xrange(keys.AUDIT)
        return [{k.decode(): v.decode() for k, v in entry.items()} for _, entry in found]

    return station.do(work)


def snapshot(station: Station) -> dict[bytes, bytes]:
    async def work(redis: Redis) -> dict[bytes, bytes]:
        return {key: await redis.dump(key) async for key in redis.scan_iter()}

    return station.do(work)


def state_of(board: Board, job: str) -> str:
    return str(board.get(f"{API}/jobs/{job}").json["job"]["state"])


def test_a_list_goes_on_with_its_cursor_to_its_end(board: Board, station: Station) -> None:
    """Every job once, and at the end no cursor."""
    jobs = station.enqueue(projects=[f"p-{nth}" for nth in range(7)])
    found: list[str] = []
    cursor = ""
    while True:
        page = board.get(f"{API}/jobs?limit=3{cursor}").json
        found += [one["id"] for one in page["items"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert sorted(found) == sorted(jobs)


@pytest.mark.parametrize("path", ["/jobs", "/dead", "/deliveries"])
def test_a_page_beyond_the_end_is_empty_and_a_strange_cursor_refused(
    board: Board, path: str
) -> None:
    """Neither is an accident of the server."""
    beyond = {"/jobs": "queue:999999/x", "/dead": "dead:999999/x", "/deliveries": "deliveries:9"}
    page = board.get(f"{API}{path}?cursor={beyond[path]}").json
    assert (page["items"], page["cursor"]) == ([], None)
    answer = board.get(f"{API}{path}?cursor=elsewhere:1")
    assert (answer.status, answer.json["type"]) == (400, "/problems/invalid-input")


def test_lists_take_the_filter_of_the_command_line(board: Board, station: Station) -> None:
    """The same terms find the same jobs."""
    station.enqueue("github#sync", "demo#work", projects=["p-1", "p-2"])
    page = board.get(f"{API}/jobs?filter=plugin:demo%20project:p-2").json
    assert [(one["handler"], one["project"]) for one in page["items"]] == [("demo#work", "p-2")]


def test_one_job_is_told_with_all_that_is_known(board: Board, station: Station) -> None:
    """Attempts, context, config; and why it waits, in a sentence."""
    first, second = station.enqueue("github#sync", "github#label", config='{"label": "x"}')
    station.claim()
    report = board.get(f"{API}/jobs/{second}").json
    assert report["config"] == {"label": "x"}
    assert report["context"]["project_id"] == "p-1"
    assert report["event"] is None
    why = board.get(f"{API}/jobs/{second}/why").json
    assert first in why["text"]
    assert why["ahead"]["job"] == first


def test_what_is_not_there_is_a_problem_that_says_what_to_do(board: Board) -> None:
    """Also for ids with slashes in them, which anybody may have enqueued."""
    for path in ("/jobs/nope", "/jobs/a%2Fb/why", "/dead/nope", "/deliveries/no/pe", "/plugins/no"):
        answer = board.get(f"{API}{path}")
        assert answer.status == 404
        assert answer.json["type"] == "/problems/not-found"
        assert answer.json["hint"]


def test_a_cancel_is_done_and_audited_with_who_and_why(board: Board, station: Station) -> None:
    """A dry run before it writes nothing."""
    (job,) = station.enqueue()
    before = snapshot(station)
    wish: dict[str, Any] = {"jobs": [job, "nope"], "reason": "wrong branch", "dry_run": True}
    planned = board.post(f"{API}/jobs/cancel", wish).json
    assert planned["is_dry"] is True
    assert snapshot(station) == before
    done = board.post(f"{API}/jobs/cancel", wish | {"dry_run": False}).json
    assert done == planned | {"is_dry": False}
    assert [one["verdict"] for one in done["items"]] == ["cancelled", "missing"]
    assert state_of(board, job) == "cancelled"
    (entry,) = audit(station)
    assert (entry["actor"], entry["reason"]) == ("operator-1@dashboard", "wrong branch")
    assert entry["count"] == "1"


def test_a_change_by_filter_goes_a_page_at_a_time(board: Board, station: Station) -> None:
    """Its cursor leads through all that match, and to nothing else."""
    station.enqueue("github#sync", "demo#work", projects=[f"p-{nth}" for nth in range(5)])
    wish: dict[str, Any] = {"filter": "plugin:demo", "limit": 2, "reason": "r"}
    done: list[str] = []
    while True:
        answer = board.post(f"{API}/jobs/cancel", wish).json
        done += [one["verdict"] for one in answer["items"]]
        if answer["cursor"] is None:
            break
        wish["cursor"] = answer["cursor"]
    assert done == ["cancelled"] * 5
    left = board.get(f"{API}/jobs?filter=state:waiting").json["items"]
    assert {one["handler"] for one in left} == {"github#sync"}
    assert audit(station)[0]["scope"] == "plugin:demo"


def test_dead_letters_are_replayed_by_filter_by_id_and_by_group(
    board: Board, station: Station
) -> None:
    """Each time the same jobs come back, with their verdicts."""
    (job,) = station.enqueue("github#sync")
    for wish in ({"jobs": [job]}, {"filter": "error:404"}, {"filter": "", "group": "?"}):
        station.bury("HTTP 404")
        (group,) = board.get(f"{API}/dead/groups").json
        assert (group["count"], group["job"]) == (1, job)
        told = {name: group["id"] if value == "?" else value for name, value in wish.items()}
        answer = board.post(f"{API}/dead/replay", told | {"reason": "it is there now"})
        assert [(one["job"], one["verdict"]) for one in answer.json["items"]] == [(job, "replayed")]
        assert state_of(board, job) == "waiting"


def test_another_config_is_for_admins(board: Board, station: Station) -> None:
    """It would run an action with a stored credential as no rule says."""
    (job,) = station.enqueue(UPDATE, config="[]")
    station.bury("invalid")
    config = '[{"path": "/a", "from": "/payload/b"}]'
    wish = {"jobs": [job], "config": config, "reason": "the rule is mended"}
    assert board.post(f"{API}/dead/replay", wish).status == 403
    assert state_of(board, job) == "dead"
    answer = board.post(f"{API}/dead/replay", wish, Role.ADMIN)
    assert [one["verdict"] for one in answer.json["items"]] == ["replayed"]
    assert board.get(f"{API}/jobs/{job}").json["config"] == [{"path": "/a", "from": "/payload/b"}]


def test_dead_letters_are_discarded_by_admins(board: Board, station: Station) -> None:
    """For good, and audited."""
    (job,) = station.enqueue()
    station.bury()
    wish = {"jobs": [job], "reason": "never again"}
    assert board.post(f"{API}/dead/discard", wish).status == 403
    answer = board.post(f"{API}/dead/discard", wish, Role.ADMIN)
    assert [one["result"] for one in answer.json["items"]] == ["discarded"]
    assert board.get(f"{API}/dead/{job}").status in {404, 409}
    assert audit(station)[-1]["actor"] == "admin-1@dashboard"


def test_a_pause_holds_the_queue_until_it_is_resumed(board: Board, station: Station) -> None:
    """And figures, holds and the reason of a waiting job say so."""
    (job,) = station.enqueue()
    held = board.post(f"{API}/queue/pause", {"reason": "Imbi is being upgraded"}).json
    assert held["verdict"] == "held"
    (hold,) = board.get(f"{API}/holds").json
    assert (hold["scope"], hold["actor"]) == ("queue", "operator-1@dashboard")
    assert "Imbi is being upgraded" in board.get(f"{API}/jobs/{job}/why").json["text"]
    assert board.post(f"{API}/queue/resume", {"reason": "done"}).status == 200
    assert board.get(f"{API}/queue").json["holds"] == []
    again = board.post(f"{API}/queue/resume", {"reason": "done"})
    assert (again.status, again.json["type"]) == (404, "/problems/not-found")
    wish = {"scope": "plugin:42", "lasts": "1h", "reason": "their limit"}
    assert board.post(f"{API}/holds/add", wish).json["until"]
    assert board.post(f"{API}/holds/remove", {"scope": "plugin:42", "reason": "r"}).status == 200


def test_an_autoscaler_is_told_due_and_running(board: Board, station: Station) -> None:
    """One number, and what it is made of."""
    station.enqueue(projects=["p-1", "p-2"])
    station.claim()
    station.enqueue(projects=["p-3"], delivery="delivery-2")
    assert board.get(f"{API}/scaling").json == {"load": 3, "due": 1, "running": 2}


def test_the_probes_need_no_token(board: Board) -> None:
    """Kubernetes has none."""
    for path in ("/livez", "/readyz"):
        assert (board.get(path).status, board.get(path).text) == (200, "ok\n")


@pytest.mark.parametrize("name", [one.name for one in ENDPOINTS if one.method == "GET"])
def test_no_answer_tells_a_secret(board: Board, station: Station, name: str, canary: str) -> None:
    """Of a config, an event, an error, or a reason; not to admins either."""
    secret = f'{{"api_token": "{canary}", "url": "https://x:{canary}@host/"}}'
    payload = {"password": canary, "headers": {"authorization": f"Bearer {canary}"}}
    one, _ = station.enqueue("github#sync", "demo#work", config=secret, payload=payload)
    station.bury("HTTP 404")
    station.beat()
    wish = {"scope": "queue", "lasts": "1h", "reason": f"token={canary}"}
    assert board.post(f"{API}/holds/add", wish).status == 200
    (endpoint,) = [each for each in ENDPOINTS if each.name == name]
    filled = {"job": one, "delivery": "delivery-1", "plugin": "gateway-actions"}
    query = {"show_job": "?event=true", "show_schema": f"?handler={UPDATE.replace('#', '%23')}"}
    answer = board.get(f"{API}{endpoint.path.format(**filled)}{query.get(name, '')}", Role.ADMIN)
    assert answer.status in {200, 404}, answer.text
    assert canary not in answer.text
    assert canary not in board.log.read_text()


def test_a_doctor_looks_at_redis_workers_and_plugins(board: Board, station: Station) -> None:
    """Each finding that is not well says what to do."""
    station.beat()
    found = board.get(f"{API}/doctor").json
    assert {"Redis", "Redis role", "workers", "plugins"} <= {one["check"] for one in found}
    assert all(one["hint"] for one in found if one["status"] != "ok")


WISHES: dict[str, dict[str, Any]] = {
    "cancel_jobs": {"jobs": ["{waiting}"]},
    "run_jobs_now": {"jobs": ["{retrying}"]},
    "replay_dead_letters": {"jobs": ["{dead}"]},
    "discard_dead_letters": {"jobs": ["{dead}"]},
    "add_hold": {"scope": "plugin:42", "lasts": "1h"},
    "remove_hold": {"scope": "handler:demo#work"},
    "pause_queue": {},
    "resume_queue": {},
}


@pytest.mark.parametrize("name", [one.name for one in ENDPOINTS if one.method == "POST"])
def test_every_change_stands_in_the_audit(board: Board, station: Station, name: str) -> None:
    """Who, what, for which, how many, and why; a new endpoint goes into WISHES."""
    (dead,) = station.enqueue("github#sync", delivery="d-1")
    station.bury()
    (retrying,) = station.enqueue("github#sync", delivery="d-2", projects=["p-2"])
    station.end(station.claim(), "retry", wait_ms=600_000, error="HTTP 503")
    (waiting,) = station.enqueue("demo#work", delivery="d-3", projects=["p-3"])
    for scope in ("queue", "handler:demo#work"):
        if name in {"resume_queue", "remove_hold"}:
            asked = {"scope": scope, "reason": "before"}
            assert board.post(f"{API}/holds/add", asked).status == 200
    (endpoint,) = [one for one in ENDPOINTS if one.name == name]
    jobs = {"{dead}": dead, "{retrying}": retrying, "{waiting}": waiting}
    wish = dict(WISHES[name])
    if "jobs" in wish:
        wish["jobs"] = [jobs[one] for one in wish["jobs"]]
    before = len(audit(station))
    answer = board.post(f"{API}{endpoint.path}", wish | {"reason": "as asked"}, Role.ADMIN)
    assert answer.status == 200, answer.text
    (entry,) = audit(station)[before:]
    assert (entry["actor"], entry["reason"]) == ("admin-1@dashboard", "as asked")
    assert entry["verb"]
    assert entry["scope"]
    if "jobs" in wish:
        assert entry["count"] == "1"
