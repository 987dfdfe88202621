"""Every exemption from a check says why it is there."""

import re
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREES = ("sdk", "worker", "tests", "bench", "deploy")
EXEMPTION = re.compile(r"noqa|type: ignore|pyright: ignore|pragma: no")
# The linter takes a reason in the same comment, a type checker only in the next one.
EXPLAINED = re.compile(
    r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)* - \w.+"
    r"|# (type|pyright): ignore\[[\w-]+(, [\w-]+)*\]  # (?!noqa|type:|pyright:)\w.+"
    r"|# type: ignore\[[\w-]+\]  # noqa: [A-Z]+\d+ - \w.+"
)


def comments(path: Path) -> Iterator[str]:
    """Each comment of a file, to the end of its line, where it exempts from something."""
    text = path.read_text(encoding="utf-8")
    if EXEMPTION.search(text):
        for token in tokenize.generate_tokens(StringIO(text).readline):
            if token.type == tokenize.COMMENT and EXEMPTION.search(token.string):
                yield token.string


@pytest.mark.parametrize("tree", TREES)
def test_every_exemption_has_its_reason(tree: str) -> None:
    """A bare one could be there for no reason any more, and nobody dares to take it out."""
    bare = [
        f"{path.relative_to(ROOT)}: {comment}"
        for path in sorted((ROOT / tree).rglob("*.py"))
        if ".venvs" not in path.parts
        for comment in comments(path)
        if not EXPLAINED.fullmatch(comment)
    ]
    assert bare == []


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# noqa: S603",
        "# noqa: S603 our own",
        "# type: ignore",
        "# type: ignore[misc]",
        "# type: ignore[misc] - for a reason",
        "# type: ignore[misc]  # pyright: ignore[reportUnknown]",
        "# type: ignore[misc]  # noqa: S603",
        "# pyright: ignore[reportUnknown]",
    ],
)
def test_a_bare_exemption_is_seen(comment: str) -> None:
    assert EXEMPTION.search(comment)
    assert not EXPLAINED.fullmatch(comment)
