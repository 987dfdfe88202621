"""HTML: nothing that somebody wrote becomes markup."""

import pytest

from imbi_worker.dashboard.markup import tag


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"' onclick=x", "a & b", "<!--"])
def test_texts_are_escaped_wherever_they_stand(text: str) -> None:
    """In an element, in an attribute, in a list, nested."""
    markup = tag("p", text, [text, tag("b", text)], title=text).markup
    inner = markup.removeprefix("<p title=").removesuffix("</p>")
    assert "<script" not in inner
    assert "<!--" not in inner
    assert inner.count('"') == 2
    assert "'" not in inner
    assert "&amp;" in inner or "&lt;" in inner or "&quot;" in inner


def test_what_no_answer_can_carry_is_marked() -> None:
    """A lone surrogate of a header that somebody sent."""
    assert tag("p", "a\ud800b").markup == "<p>a?b</p>"


def test_elements_have_what_they_are_given() -> None:
    """None and False are left out, numbers have their thousands."""
    made = tag("td", 1234567, None, class_="n", hidden=None, data_label="Count", open=True)
    assert made.markup == '<td class="n" data-label="Count" open>1,234,567</td>'
    assert tag("input", name="filter", disabled=False).markup == '<input name="filter">'
