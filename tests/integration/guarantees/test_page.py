"""docs/guarantees.md cannot drift from the scripts, the states and the tests."""

import re
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
PACKAGES = ("imbi_sdk.queue.scripts", "imbi_worker.queue.scripts")
ROW = re.compile(r"^\| `(\w+)` \| .+ \| (runs|refused) \|$", re.MULTILINE)
WRITTEN = re.compile(
    r"""'HSET'(?:(?!redis\.call).)*?'state', '(\w+)'|\bstate = '(\w+)'""", re.DOTALL
)


def sources() -> dict[str, str]:
    """Every Lua file by its name."""
    return {
        path.name.removesuffix(".lua"): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in files(package).iterdir()
        if path.name.endswith(".lua")
    }


def test_the_table_of_scripts_is_complete_and_says_which_run_in_a_full_redis() -> None:
    """A script begins with a shebang; what others include does not."""
    scripts = {
        name: "runs" if "allow-oom" in text.partition("\n")[0] else "refused"
        for name, text in sources().items()
        if text.startswith("#!lua")
    }
    assert dict(ROW.findall(PAGE)) == scripts


def test_the_diagram_shows_every_state_that_a_script_writes() -> None:
    """And the table of words beside it names no other."""
    written = {
        first or second for text in sources().values() for first, second in WRITTEN.findall(text)
    }
    diagram = PAGE.partition("```")[2].partition("```")[0]
    assert {"waiting", "running", "parked", "dead"} <= written
    for state in (*written, "succeeded", "skipped"):
        assert state in diagram, state


def test_every_test_and_module_the_page_names_is_there() -> None:
    """A command that reproduces a guarantee must run."""
    tests = set(re.findall(r"tests/[\w/.]+", PAGE))
    assert len(tests) > 10
    for path in tests:
        assert (ROOT / path).exists(), path
    modules = set(re.findall(r"`(\w+\.(?:lua|py))`", PAGE))
    present = {path.name for path in [*ROOT.glob("sdk/**/*"), *ROOT.glob("worker/**/*")]}
    assert modules <= present
    for variable in re.findall(r"IMBI_WORKER_\w+", PAGE):
        assert f"`{variable}`" in (ROOT / "README.md").read_text(encoding="utf-8")
