"""The API against its own document: what nobody would ask, asked by schemathesis."""

import subprocess
import sys
from pathlib import Path

import pytest
from board import Board

from imbi_worker.dashboard.access import Role
from integration.cli.station import Station

SECONDS = "30"


@pytest.mark.timeout(180)
def test_the_api_keeps_to_its_document(
    board: Board, station: Station, tmp_path: Path, canary: str
) -> None:
    """Every operation but the streams: statuses, types, schemas, bad input and strangers refused.

    Left out is one check: a filter, a scope or a cursor that fits its schema may still say
    nothing, and is refused then.
    """
    for nth in range(3):
        station.enqueue(
            "github#sync", "demo#work", delivery=f"d-{nth}", config=f'{{"token":"{canary}"}}'
        )
    station.bury("HTTP 404")
    station.beat()
    done = subprocess.run(  # noqa: S603 - a tool of ours
        [
            str(Path(sys.executable).parent / "st"),
            *("run", f"http://127.0.0.1:{board.port}/api/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {board.tokens[Role.ADMIN]}"),
            *("--exclude-path-regex", "tail$", "--phases", "coverage,fuzzing,stateful"),
            *("--exclude-checks", "positive_data_acceptance", "--max-time", SECONDS),
            *("--suppress-health-check", "all", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert canary not in done.stdout
    assert "Traceback" not in board.log.read_text()
