"""Runbooks name only what there is: commands, options, links, metrics, log lines, reasons."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml
from charts import pods, render, values_of
from exported import series
from expressions import grouping
from test_alerts import ALERTS

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


def test_what_alertmanager_may_leave_untold_are_alerts_with_these_labels() -> None:
    """Of its source and its target alike, or it would leave nothing untold."""
    text = text_of(ROOT / "docs" / "runbooks" / "README.md")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rules = yaml.safe_load(block)["inhibit_rules"]
    assert rules
    for rule in rules:
        matchers = " ".join((*rule["source_matchers"], *rule["target_matchers"]))
        for alert in re.findall(r"Imbi\w+", matchers):
            kept = grouping(ALERTS[alert]["expr"])
            assert set(rule["equal"]) <= kept, alert


def test_pods_that_kubectl_is_to_find_are_there() -> None:
    """By the labels of the chart."""
    found = [labels for labels, _ in pods(render(values_of("production")))]
    selectors = {one for page in PAGES for one in re.findall(r"-l (\S+)", text_of(page))}
    assert selectors
    for selector in selectors:
        wanted = dict(part.split("=") for part in selector.split(","))
        assert any(wanted.items() <= labels.items() for labels in found), selector


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
