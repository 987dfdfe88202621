"""The page of names cannot drift from the packages."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "sdk-api.md").read_text(encoding="utf-8")
PACKAGES = (
    "imbi_sdk",
    "imbi_sdk.testing",
    "imbi_sdk.testing.queue",
    "imbi_sdk.queue",
    "imbi_sdk.attempt",
)
ROW = re.compile(r"^\| `(\w+)(\(\))?` \| (.+) \|$", re.MULTILINE)


def rows(package: str) -> list[tuple[str, bool, str]]:
    """Name, whether it is shown as a function, and what is said of it."""
    _, _, section = PAGE.partition(f"\n## `{package}`\n")
    section, _, _ = section.partition("\n## ")
    return [(name, bool(call), said) for name, call, said in ROW.findall(section)]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_has_every_name_once(package: str) -> None:
    """And no name that is not there."""
    assert sorted(name for name, _, _ in rows(package)) == sorted(
        importlib.import_module(package).__all__
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_shown_as_such(package: str) -> None:
    """A class or a value has no parentheses."""
    module = importlib.import_module(package)
    for name, is_call, said in rows(package):
        assert is_call == inspect.isfunction(getattr(module, name)), name
        assert len(said) > len(name) / 2


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_said_is_what_the_docstring_says(package: str) -> None:
    """Its first paragraph, which a sentence may follow; types that are no class have none."""
    module = importlib.import_module(package)
    named = [(getattr(module, name), said) for name, _, said in rows(package)]
    documented = [(o, said) for o, said in named if inspect.isclass(o) or inspect.isfunction(o)]
    assert documented
    for one, said in documented:
        summary = plain((inspect.getdoc(one) or "").partition("\n\n")[0])
        assert summary
        assert plain(said).startswith(summary), one.__name__


def plain(text: str) -> str:
    return " ".join(re.sub("[`*]", "", text).split()).rstrip(".")
