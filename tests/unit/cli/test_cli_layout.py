"""Rows and facts on narrow terminals."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from imbi_worker.cli.drawing import layout

ID = "8124a25aa9c06a653dd8e9a376a9ba88"


def shown(name: str, value: str, *, width: int) -> list[str]:
    return [line.plain for line in layout.fact(name, Text(value), width=width)]


def test_a_table_that_would_cut_its_first_column_is_none() -> None:
    """`constraint ThirdPartyService.slug` beside `was there` has no room in 40 columns."""
    names = ("constraint ThirdPartyService.slug", "index Team.slug")
    rows = [[Text(name), Text("was there")] for name in names]
    assert layout.columns(("ELEMENT", "RESULT"), rows, width=40) is None
    table = layout.columns(("ELEMENT", "RESULT"), rows, width=44)
    assert table is not None
    screen = Console(file=io.StringIO(), width=44)
    with screen.capture() as captured:
        screen.print(table)
    assert [line.split("  ")[0] for line in captured.get().splitlines()[1:]] == list(names)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_sentence_goes_on_below_itself(width: int) -> None:
    """No word is cut, no line is longer than the terminal, and nothing is lost."""
    sentence = "it held its lane too long while others of its integration succeeded " * 2
    lines = shown("why    ", sentence, width=width)
    assert all(len(line) <= width for line in lines)
    assert {line[:9] for line in lines[1:]} <= {" " * 9}
    assert " ".join(lines).split() == ["why", *sentence.split()]


def test_an_id_stays_whole() -> None:
    """Where it does not fit beside its name it stands below."""
    assert shown("job        ", ID, width=40) == ["job", f"  {ID}"]
    assert shown("job        ", ID, width=80) == [f"job          {ID}"]
