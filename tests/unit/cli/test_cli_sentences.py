"""Sentences on narrow terminals."""

import pytest
from rich.cells import cell_len

from imbi_worker.cli.drawing import filled

ID = "8124a25aa9c06a653dd8e9a376a9ba88"


@pytest.mark.parametrize("width", [20, 40])
@pytest.mark.parametrize(
    "sentence",
    [
        "リリース が 見つかり ません でした 環境 の 名前 を 確認 して ください",
        "🚀 🚀 released 🚀 to 🚀 the 🚀 moon 🚀 and 🚀 back 🚀 again",
        "e\N{COMBINING ACUTE ACCENT}" * 15 + " " + "e\N{COMBINING ACUTE ACCENT}" * 15,
    ],
)
def test_wide_characters_fit_on_a_line(sentence: str, width: int) -> None:
    """A line is measured in cells of the terminal; nothing is lost, and no word is cut."""
    lines = filled(sentence, width).split("\n")
    assert len(lines) > 1 or cell_len(sentence) <= width
    assert all(cell_len(line) <= width for line in lines)
    assert " ".join(lines).split() == sentence.split()


def test_a_word_that_is_longer_than_a_line_stays_whole() -> None:
    """An id can be copied from any screen; line breaks of the text's own stay, too."""
    assert filled(f"なし {ID} x\n… 1", 20).split("\n") == ["なし", ID, "x", "… 1"]
