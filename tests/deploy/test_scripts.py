"""Every shell script of the repository, wherever it stands."""

import subprocess
import sys
from pathlib import Path

import pytest
from charts import ROOT

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
FOLDERS = (".ci", "bench", "deploy", "requirements", "tests")


def _is_script(path: Path) -> bool:
    if not path.is_file() or path.suffix not in ("", ".sh"):
        return False
    with path.open("rb") as file:
        return file.readline().startswith(b"#!/usr/bin/env bash")


SCRIPTS = [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*"))
    if not any(part.startswith(".") for part in path.relative_to(ROOT / folder).parts)
    and _is_script(path)
]


def test_there_are_scripts_to_look_at() -> None:
    names = {str(path.relative_to(ROOT)) for path in SCRIPTS}
    assert {".ci/run", "requirements/compile", "tests/deploy/run", "tests/neo4j/run"} <= names


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_stops_at_the_first_failure(script: Path) -> None:
    """`set -euo pipefail`, and shellcheck finds nothing."""
    assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - a tool of the lock
        [SHELLCHECK, script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
