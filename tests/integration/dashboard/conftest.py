"""One dashboard for all tests, on the Redis that is emptied for each."""

from collections.abc import Iterator

import pytest
from board import Board, serving

from integration.cli.station import SIGNING_KEY, Station


@pytest.fixture(scope="session")
def _board(_redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    log = tmp_path_factory.mktemp("dashboard") / "log"
    with serving(_redis_server, log, IMBI_WORKER_SIGNING_KEY=SIGNING_KEY) as board:
        yield board


@pytest.fixture
def board(_board: Board, redis_url: str) -> Board:
    """At an empty Redis."""
    return _board


@pytest.fixture
def station(redis_url: str) -> Station:
    """Gateway and worker, step by step."""
    return Station(redis_url)
