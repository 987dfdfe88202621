"""The root command: stubs and real commands agree, and the page documents them all."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from imbi_worker.cli.program import NOUNS, VERBS, app, load_command

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name."""
    for name in VERBS:
        yield name, load_command(name)
    for noun in NOUNS:
        for name, command in load_command(noun).commands.items():
            yield f"{noun} {name}", command


def options(command: Any) -> set[str]:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    return {
        name for one in shown for name in (*one.opts, *one.secondary_opts) if name.startswith("--")
    } - {"--help"}


def first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_is_announced_as_it_is(noun: str) -> None:
    """The stub that quick help shows has the real one's commands and sentences."""
    line, parts = NOUNS[noun]
    real = load_command(noun)
    assert real.name == noun
    assert real.help == line
    assert {name: first_line(command.help) for name, command in real.commands.items()} == parts


@pytest.mark.parametrize("verb", [name for name in VERBS if name not in {"run", "demo"}])
def test_a_verb_is_announced_as_it_is(verb: str) -> None:
    """The stub's sentence is the real one's."""
    assert first_line(load_command(verb).help) == VERBS[verb]


@pytest.mark.parametrize("name", [name for name, _ in commands() if name != "run"])
def test_every_command_speaks_json(name: str) -> None:
    """Only `run` has nothing to answer."""
    assert "--json" in options(dict(commands())[name])


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_and_option_is_on_the_page(name: str) -> None:
    """And the page tells of no option that is gone."""
    command = dict(commands())[name]
    sections = re.split(r"^#{2,3} ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = [one for one in sections if one.startswith(f"`imbi-worker {name}`\n")]
    first_cells = "".join(re.findall(r"^\|([^|]*)", section, flags=re.MULTILINE))
    told = set(re.findall(r"`(--[a-z-]+)", first_cells))
    assert told == options(command)


def test_the_page_has_no_command_that_is_gone() -> None:
    """Each heading is a command."""
    page = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^### `imbi-worker ([^`]+)`$", page, flags=re.MULTILINE)
    assert sorted(headings) == sorted(name for name, _ in commands())


@pytest.mark.parametrize("typo", ["job", "plugin", "deed"])
def test_a_typing_error_gets_a_suggestion(typo: str) -> None:
    """Exit code 2 and the nearest command."""
    result = CliRunner().invoke(app, [typo])
    assert result.exit_code == 2
    assert "Did you mean" in result.output


def test_locals_never_stand_in_a_traceback() -> None:
    """A value of a frame could be a secret."""
    assert isinstance(app, typer.Typer)
    assert app.pretty_exceptions_enable is False
