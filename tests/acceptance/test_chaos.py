"""The short form of `make chaos`: one seed, three workers, everything that can go wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


@pytest.mark.timeout(180)
def test_nothing_is_lost_and_order_is_kept_in_a_storm() -> None:
    """Kills, restarts of Redis, cuts, toxic actions: every promise holds, by a history."""
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "--seconds=15", "--seed=4", "--workers=3", "--jobs=2000"],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS / 'integration' / 'queue'}"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line = done.stdout.splitlines()[-1]
    found = re.fullmatch(
        r"chaos: seed=4 jobs=(\d+) lost=0 order_breaks=0 unexplained_duplicates=0"
        r" recovered_kills=(\d+)",
        line,
    )
    assert found, line
    assert int(found[1]) > 100
    assert int(found[2]) > 0, "no worker died while it ran an action: the storm was too mild"
