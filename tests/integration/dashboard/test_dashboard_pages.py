"""The pages of a running dashboard: what an operator sees, and what nobody may put there."""

import html
import json
from html.parser import HTMLParser

import pytest
from board import Board

from imbi_worker.dashboard.access import Role
from integration.cli.station import Station

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"
LISTS = (
    *("/", "/jobs", "/jobs?filter=state:dead&refresh=5", "/dead", "/dead/groups"),
    *("/deliveries", "/holds", "/workers", "/plugins", "/audit"),
)


class Page(HTMLParser):
    """The links and the elements of a page, and that each is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.names.add(tag)
        assert not any(name.startswith("on") or name == "style" for name in found), found
        if tag == "a":
            self.links.append(found["href"] or "")
        if tag not in {"meta", "link", "input", "br"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def fill(board: Board, station: Station, text: str) -> list[str]:
    """Jobs in every state, with *text* wherever somebody else can write; their ids."""
    dead = station.enqueue("github#sync", delivery=f"{text}/1", projects=[text])
    station.bury(text)
    done = station.enqueue("demo#work", delivery="delivery-2", projects=[text])
    station.succeed()
    open_ones = station.enqueue("demo#work", "demo#again", delivery="delivery-3", projects=["p"])
    station.claim(worker=f"w-{text}")
    station.beat(worker=f"w-{text}")
    wish = {"scope": f"plugin:{text}", "reason": text}
    assert board.post("/api/v1/holds/add", wish).status == 200
    return [*dead, *done, *open_ones]


def test_every_link_of_every_page_leads_to_a_page(board: Board, station: Station) -> None:
    """From the overview on, as far as links go; hostile texts stay texts on all of them."""
    jobs = fill(board, station, HOSTILE)
    todo, seen = ["/"], set[str]()
    while todo:
        path = todo.pop()
        seen.add(path)
        answer = board.get(path)
        assert answer.status == 200, path
        page = Page(answer.text)
        assert not page.names & {"script", "img", "iframe", "object"}
        todo += [one for one in page.links if one.startswith("/") and one not in {*seen, *todo}]
    assert {f"/jobs/{job}" for job in jobs} <= seen
    assert any(path.startswith("/deliveries/") for path in seen)
    assert any(path.startswith("/dead?group=") for path in seen)


def test_the_overview_says_what_is_wrong(board: Board, station: Station) -> None:
    """No worker, a hold, dead letters by groups; and what runs, against its timeout."""
    fill(board, station, "HTTP 404")
    text = board.get("/").text
    assert "plugin:HTTP 404 is held until it is removed by operator-1@dashboard" in text
    assert "of 5m00s" in text
    assert "Died in the last day" in text
    assert "mend what the error names" in text


def test_an_empty_queue_says_so(board: Board) -> None:
    """No table without rows."""
    text = board.get("/").text
    assert "No worker is alive" in text
    assert "Nothing runs just now." in text
    for path in LISTS:
        Page(board.get(path).text)


def test_a_page_says_how_to_change_what_it_shows(board: Board, station: Station) -> None:
    """It does not change anything itself: there is no form but the filter's."""
    job, *_, waiting = fill(board, station, "HTTP 404")
    assert f"imbi-worker dead replay {job}" in board.get(f"/jobs/{job}").text
    assert f"imbi-worker jobs cancel {waiting}" in board.get(f"/jobs/{waiting}").text
    for path in (*LISTS, f"/jobs/{job}"):
        assert 'method="post"' not in board.get(path).text
        assert board.send("POST", path, Role.ADMIN, "{}").status == 405


def test_a_filter_that_cannot_be_read_is_a_page_with_a_caret(board: Board) -> None:
    """The caret stands under the place."""
    answer = board.get("/jobs?filter=state:dad")
    assert answer.status == 400
    assert 'value="state:dad"' in answer.text
    assert "/deliveries" in Page(answer.text).links
    assert "  state:dad\n        ^^^" in answer.text


def test_an_event_is_shown_to_operators_only(board: Board, station: Station, canary: str) -> None:
    """Redacted, as everything else."""
    payload = {"branch": "main", "password": canary}
    (job,) = station.enqueue(payload=payload, config=f'{{"token": "{canary}"}}')
    assert "event=true" not in board.get(f"/jobs/{job}").text
    assert board.get(f"/jobs/{job}?event=true").status == 403
    assert "event=true" in board.get(f"/jobs/{job}", Role.OPERATOR).text
    text = board.get(f"/jobs/{job}?event=true", Role.OPERATOR).text
    assert "branch" in text
    for path in (f"/jobs/{job}", f"/jobs/{job}?event=true", "/jobs", "/deliveries/delivery-1", "/"):
        assert canary not in board.get(path, Role.ADMIN).text


@pytest.mark.parametrize("path", LISTS)
def test_a_page_stays_fresh_only_when_asked(board: Board, path: str) -> None:
    """Without a script: it asks to be loaded again."""
    assert ('http-equiv="refresh"' in board.get(path).text) is ("refresh=5" in path)


def test_what_an_action_logged_stands_with_its_attempt(board: Board, station: Station) -> None:
    """The last lines, and how many were not kept; markup of theirs is text."""
    (job,) = station.enqueue("github#sync")
    lines = [[1_764_000_000_000, "warning", "github", HOSTILE], [0, "info", "stdout", "printed"]]
    record = {"n": 1, "outcome": "dead", "worker": "w", "lines": lines, "lines_left_out": 1_200}
    station.end(station.claim(), "dead", reason="r", status="failed", record=json.dumps(record))
    text = board.get(f"/jobs/{job}").text
    Page(text)
    assert "Log of attempt 1.1" in text
    assert "2025-11-24 16:00:00Z" in text
    assert html.escape(HOSTILE) in text
    assert "1,200 earlier lines were not kept." in text


@pytest.mark.parametrize("path", ["/nowhere", "/jobs/nope", "/jobs?cursor=elsewhere:1"])
def test_from_every_problem_a_way_leads_on(board: Board, path: str) -> None:
    """To every other page."""
    page = Page(board.get(path).text)
    assert {"/", "/jobs", "/dead", "/audit"} <= {*page.links}
