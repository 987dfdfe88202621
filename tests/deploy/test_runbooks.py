"""Runbooks name only what there is: commands, options, links, metrics, log lines, reasons."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from exported import series

from imbi_sdk.attempt import DeathReason
from imbi_worker.cli.program import NOUNS, VERBS, load_command
from imbi_worker.observability import metrics

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
SOURCES = "".join(
    path.read_text(encoding="utf-8") for path in (ROOT / "worker" / "imbi_worker").rglob("*.py")
)
# What typer answers a wrong line with; where its own class stands depends on its version.
WrongUsage = typer.BadParameter.__mro__[1]
PARTS = ("**Means.**", "**Users feel.**", "## Look", "## Do", "## Over")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands(text: str) -> list[list[str]]:
    """What follows ``imbi-worker`` in code, in a block or within a sentence."""
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).splitlines()
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [*lines, *re.findall(r"`([^`]+)`", prose)]
    found = [shlex.split(span)[1:] for span in spans if span.startswith("imbi-worker ")]
    inner = [span.partition(" -- imbi-worker ")[2] for span in spans]
    return found + [shlex.split(one) for one in inner if one]


def read(words: list[str]) -> None:
    """Has the program read a command line, and call nothing; raises what it would answer."""
    first, *rest = words
    if first in NOUNS:
        command, rest = load_command(first).commands[rest[0]], rest[1:]
    else:
        assert first in VERBS
        command = load_command(first)
    command.make_context(first, rest).close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_is_one_that_the_program_takes(page: Path) -> None:
    """With its verb, its options and its arguments, as the command line itself reads them."""
    found = commands(text_of(page))
    assert found
    for words in found:
        read(words)


@pytest.mark.parametrize("line", ["dead replay ID --raeson x", "queue pause --for", "jobs shew ID"])
def test_a_line_that_the_program_does_not_take_is_found(line: str) -> None:
    """So the test above can fail."""
    (words,) = commands(f"`imbi-worker {line}`")
    with pytest.raises((KeyError, WrongUsage)):
        read(words)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem != "README"], ids=lambda page: page.stem
)
def test_a_page_says_what_it_means_what_users_feel_and_what_to_do(page: Path) -> None:
    """In that order, on one screen."""
    text = text_of(page)
    assert text.startswith(f"# {page.stem}\n")
    places = [text.find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)
    assert len(text.splitlines()) <= 70


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_metrics_settings_and_log_lines_of_a_page_exist(page: Path) -> None:
    """A name in code that looks like one of ours is one of ours."""
    text = text_of(page)
    assert set(re.findall(r"`(imbi_\w+)", text)) <= set(series())
    for event in re.findall(r"`([a-z_]+\.[a-z_]+)`", text):
        assert f'"{event}"' in SOURCES, event
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for setting in re.findall(r"IMBI_\w+|NEO4J_\w+", text):
        assert f"`{setting}`" in readme, setting


def test_every_reason_a_job_can_die_of_has_its_line() -> None:
    """And no line is left of one that is gone."""
    rows = re.findall(
        r"^\| ([^|]+) \|", _table("ImbiDeadLettersIncreasing", "reason"), re.MULTILINE
    )
    assert sorted(reason for row in rows for reason in row.split(", ")) == sorted(DeathReason)


def test_every_kind_of_error_and_of_repair_has_its_line() -> None:
    """But those that are told by another alert's page."""
    errors = set(re.findall(r"`(\w+)`", _first_cells("ImbiFailureRate", "`error_class`")))
    elsewhere = {"rate_limit", "exhausted", "outcome_unknown"}
    assert errors | elsewhere == set(metrics.ERROR_CLASSES)
    assert not errors & elsewhere
    repairs = re.findall(r"`(\w+)`", _first_cells("ImbiQueueRepaired", "kind"))
    assert sorted(repairs) == sorted(metrics.REPAIRS)


def _table(page: str, head: str) -> str:
    """The rows of the table of *page* whose first column is called *head*."""
    text = text_of(ROOT / "docs" / "runbooks" / f"{page}.md")
    return text.partition(f"| {head} |")[2].partition("|---|---|\n")[2].partition("\n\n")[0]


def _first_cells(page: str, head: str) -> str:
    return "\n".join(re.findall(r"^\|([^|]+)\|", _table(page, head), re.MULTILINE))
