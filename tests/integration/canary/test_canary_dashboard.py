"""Every endpoint and every page of the dashboard, on a queue full of secrets: none tells one."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from scene import Scene

from imbi_worker.dashboard.access import Role
from imbi_worker.dashboard.catalogue import ENDPOINTS, TAILS
from imbi_worker.dashboard.pages.routes import PATHS
from integration.dashboard.board import Board, serving

pytestmark = pytest.mark.timeout(400)
API: Final = "/api/v1"
# What the endpoints that change something are asked; {dead}, {other} are dead letters.
WISHES: Final[Mapping[str, Mapping[str, Any]]] = {
    "cancel_jobs": {"jobs": ["{dead}"]},
    "run_jobs_now": {"jobs": ["{dead}"]},
    "replay_dead_letters": {"jobs": ["{other}"], "config": "{config}"},
    "discard_dead_letters": {"jobs": ["{last}"]},
    "add_hold": {"scope": "plugin:p-nobody", "lasts": "1m"},
    "remove_hold": {"scope": "plugin:p-nobody"},
    "pause_queue": {},
    "resume_queue": {},
}
QUERIES: Final = {"show_job": "?event=true", "show_schema": "?handler=leaky%23leak"}


@pytest.fixture(scope="module")
def board(scene: Scene) -> Iterator[Board]:
    given = {name: value for name, value in scene.environment.items() if name != "REDIS_URL"}
    with serving(scene.redis_url, scene.folder / "dashboard.log", **given) as board:
        yield board


@pytest.fixture(scope="module")
def words(scene: Scene) -> dict[str, str]:
    """What stands for the names in braces."""
    return {
        "dead": scene.jobs["text", "bare", "config"],
        "other": scene.jobs["text", "url", "client_secret"],
        "last": scene.jobs["text", "base64 lines", "header"],
        "job": scene.jobs["text", "bare", "config"],
        "delivery": "text-1",
        "plugin": "leaky",
        "config": json.dumps({"way": "bare", "api_token": scene.canaries.config}),
    }


def test_every_change_has_a_wish() -> None:
    """A new endpoint goes into WISHES, with what makes it say all it can say."""
    assert set(WISHES) == {one.name for one in ENDPOINTS if one.method == "POST"}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
def test_no_endpoint_tells_a_secret(
    scene: Scene, board: Board, words: Mapping[str, str], endpoint: Any
) -> None:
    """Not to an admin either."""
    path = f"{API}{endpoint.path.format(**words)}{QUERIES.get(endpoint.name, '')}"
    if endpoint.method == "GET":
        answer = board.get(path, Role.ADMIN)
        assert answer.status == 200, answer.text
    else:
        asked = {name: filled(wish, words) for name, wish in WISHES[endpoint.name].items()}
        answer = board.post(path, asked | {"reason": "a look"}, Role.ADMIN)
        assert answer.status in {200, 404}, answer.text
    assert not scene.canaries.found_in(answer.text)
    assert not scene.canaries.found_in(str(answer.headers))


def filled(wish: Any, words: Mapping[str, str]) -> Any:
    if isinstance(wish, list):
        return [filled(one, words) for one in wish]
    # Whole words only: a config has braces of its own.
    return words[wish[1:-1]] if wish.startswith("{") else wish


@pytest.mark.parametrize("tail", TAILS, ids=lambda one: one.name)
def test_no_tail_tells_a_secret(scene: Scene, board: Board, tail: Any) -> None:
    """All that has ended and changed since the beginning."""
    with board.tail(f"{API}{tail.path}", **{"Last-Event-ID": "0-0"}) as response:
        assert response.status == 200
        told = b"".join(response.readline() for _ in range(40 if "jobs" in tail.path else 4))
    assert b"data: " in told
    assert not scene.canaries.found_in(told)


@pytest.mark.parametrize("path", PATHS)
def test_no_page_tells_a_secret(
    scene: Scene, board: Board, words: Mapping[str, str], path: str
) -> None:
    """Nor does the event, which a page shows to operators."""
    shown = path.replace(":path}", "}").format(**words)
    for query in ("", "?event=true") if "{job" in path else ("",):
        answer = board.get(f"{shown}{query}", Role.ADMIN)
        assert answer.status == 200, answer.text
        assert not scene.canaries.found_in(answer.text)


def test_no_problem_tells_a_secret(scene: Scene, board: Board, words: Mapping[str, str]) -> None:
    """A config that does not fit, a body that is none, a path that leads nowhere."""
    canaries = scene.canaries
    misfit = json.dumps({"way": [canaries.config], "api_token": [canaries.config]})
    wish = {"jobs": [words["dead"]], "config": misfit, "reason": "a look"}
    for told in (wish, {**wish, "config": canaries.config}, {**wish, "limit": canaries.config}):
        answer = board.post(f"{API}/dead/replay", told, Role.ADMIN)
        assert not canaries.found_in(answer.text), answer.text
    assert board.send("POST", f"{API}/dead/replay", Role.ADMIN, canaries.config).status == 400
    for path in (f"{API}/jobs/cancel", f"{API}/nowhere", "/nowhere"):
        answer = board.send("POST", path, Role.ADMIN, json.dumps({"reason": canaries.config}))
        assert answer.status in {400, 404, 405}
        assert not canaries.found_in(answer.text)


def test_the_dashboards_log_tells_no_secret(scene: Scene, board: Board) -> None:
    """Neither its own, nor what was asked, nor who asked."""
    log = board.log.read_text()
    assert "dashboard.changed" in log
    assert not scene.canaries.found_in(log)
    assert not re.search("|".join(board.tokens.values()), log)
