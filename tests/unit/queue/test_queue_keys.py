"""The table of keys is one: module, page, scripts and the list of keys that stay."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from imbi_sdk.queue import keys

PAGE = Path(__file__).parents[3] / "docs" / "keys.md"
# The table of rights below has tests of its own.
KEYS, _, _ = PAGE.read_text(encoding="utf-8").partition("\n## Who needs what\n")
DOCSTRING_ROW = re.compile(r"^    (\S+)\s+(string|hash|zset|list|stream)\s+(.+)$", re.MULTILINE)
PAGE_ROW = re.compile(r"^\| `([^`]+)` \| (\w+) \| (.+) \| (yes|no) \|$", re.MULTILINE)
LITERAL = re.compile(r"""['"]((?:imbi|arq):[a-z-]+:?)""")


def rows_of_the_module() -> list[tuple[str, ...]]:
    rows = [match.groups() for match in DOCSTRING_ROW.finditer(keys.__doc__ or "")]
    assert len(rows) > 20
    return rows


def rows_of_the_page() -> list[tuple[str, ...]]:
    return [match.groups() for match in PAGE_ROW.finditer(KEYS)]


def as_glob(key: str) -> str:
    return re.sub(r"<\w+>", "*", key)


def test_the_page_is_the_table_of_the_module() -> None:
    """Row for row, in the same order."""
    assert [row[:3] for row in rows_of_the_page()] == rows_of_the_module()


def test_no_row_of_either_table_is_overlooked() -> None:
    """A row in another form would be compared with nothing."""
    page = [line for line in KEYS.splitlines() if line[:1] == "|"]
    module = [line for line in (keys.__doc__ or "").splitlines() if line.startswith("    ")]
    assert len(page) - 2 == len(rows_of_the_page()) == len(module)


def test_the_page_says_what_stays() -> None:
    """The last column is the list that the tests of every integration are held to."""
    stays = {as_glob(key) for key, _, _, stays in rows_of_the_page() if stays == "yes"}
    assert stays == set(keys.PERMANENT)


@pytest.mark.parametrize("package", ["imbi_sdk.queue", "imbi_worker.queue"])
def test_every_key_in_code_stands_in_the_table(package: str) -> None:
    """Scripts and modules name no key that the table does not explain."""
    listed = {re.sub(r"<.*", "", key) for key, _, _ in rows_of_the_module()}
    root = Path(str(files(package)))
    sources = [*root.rglob("*.lua"), *root.rglob("*.py")]
    used = {name for path in sources for name in LITERAL.findall(path.read_text(encoding="utf-8"))}
    assert used
    assert used <= listed


def test_scripts_module_and_page_agree_where_far_begins() -> None:
    """The number stands in Lua, in Python and on the page."""
    layout = (files("imbi_sdk.queue.scripts") / "layout.lua").read_text(encoding="utf-8")
    assert f"local FAR = {keys.FAR}\n" in layout
    assert str(keys.FAR) in PAGE.read_text(encoding="utf-8")
