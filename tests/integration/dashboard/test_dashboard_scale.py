"""A hundred thousand dead letters, and the dashboard answers as ever."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
from board import Board
from redis.asyncio import Redis

from imbi_sdk.queue import keys
from integration.cli.station import Station
from integration.guarantees.scale import scaled

LETTERS: Final = scaled(100_000, 10_000)
API: Final = "/api/v1"
LARGEST_PAGE: Final = 512 * 1024


@pytest.fixture
def crowded(board: Board, station: Station) -> Board:
    """With copies of one dead letter, of a thousand projects and a hundred errors."""
    (job,) = station.enqueue()
    station.bury("HTTP 503")

    async def work(redis: Redis) -> None:
        given = await redis.hgetall(f"{keys.JOB}{job}")
        now = time.time() * 1000
        for start in range(0, LETTERS, 2_000):
            async with redis.pipeline(transaction=False) as pipeline:
                for nth in range(start, start + 2_000):
                    own = {b"error": f"HTTP {400 + nth % 100}", b"project": f"p-{nth % 1000}"}
                    pipeline.hset(f"{keys.JOB}{nth:032x}", mapping={**given, **own})
                    pipeline.zadd(keys.DEAD, {f"{nth:032x}": now - nth})
                await pipeline.execute()

    station.do(work)
    return board


@pytest.mark.timeout(300)
def test_every_list_is_a_page_and_nobody_waits_for_another(crowded: Board) -> None:
    """However many there are; a look through all of them holds nobody up."""
    with ThreadPoolExecutor() as pool:
        groups = pool.submit(crowded.get, f"{API}/dead/groups")
        waits = []
        while not groups.done():
            began = time.monotonic()
            assert crowded.get("/livez").status == 200
            waits.append(time.monotonic() - began)
        answer = groups.result()
    assert sum(one["count"] for one in answer.json) == LETTERS + 1
    assert len(answer.text) < LARGEST_PAGE
    assert max(waits) < 5
    for path, items in (
        ("/dead?limit=500", 500),
        ("/dead", 50),
        ("/dead?filter=error:nothing-is-like-it&limit=500", 0),
        ("/jobs?filter=state:dead&limit=500", 500),
    ):
        page = crowded.get(f"{API}{path}")
        assert len(page.json["items"]) == items
        assert len(page.text) < LARGEST_PAGE
    for path in ("/", "/dead", "/dead/groups", "/jobs?filter=state:dead"):
        assert len(crowded.get(path).text) < LARGEST_PAGE


def test_a_cursor_leads_through_all_of_them(crowded: Board) -> None:
    """Each once, and no page is longer than asked for."""
    seen: set[str] = set()
    cursor = ""
    while True:
        page = crowded.get(f"{API}/dead?limit=500{cursor}").json
        found = {one["job"]["id"] for one in page["items"]}
        assert not found & seen
        seen |= found
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert len(seen) == LETTERS + 1
