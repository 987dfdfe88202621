"""The handler reference."""

import pytest

from imbi_sdk.handler import parse_handler


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("github#sync_commits", ("github", "sync_commits")),
        ("a1-b#c2_d", ("a1-b", "c2_d")),
    ],
)
def test_a_handler_is_a_slug_and_an_action(text: str, parts: tuple[str, str]) -> None:
    """Both parts come back as they were written."""
    assert parse_handler(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", "github", "#a", "a#", "a#b#c", "A#b", "a#B", "a_b#c", "a#b-c", "1a#b", "a#_b", "a#b\n"],
)
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    """A trailing newline too, which a mere `match` with `$` would let pass."""
    with pytest.raises(ValueError, match="write <plugin-slug>#<action_name>"):
        parse_handler(text)


def test_a_long_text_is_not_quoted_whole() -> None:
    """A message stays readable whatever a rule holds."""
    with pytest.raises(ValueError, match=r"^'x{80}\.\.\.' is no handler"):
        parse_handler("x" * 10_000)
