"""Alerts: what they name is exported, each has a page and cases, and Prometheus agrees."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from exported import series
from expressions import selectors, unknown

from imbi_worker.queue.janitor import Retention

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "helm" / "imbi-worker" / "files" / "rules.yaml"
PAGES = ROOT / "docs" / "runbooks"
CASES = Path(__file__).parent / "alerts"
EXPORTED = series()


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    return {rule["alert"]: rule for rule in rules}


def cases(alert: str) -> list[dict[str, Any]]:
    """What is asked about *alert* in its own file, over all of its tests."""
    told = yaml.safe_load((CASES / f"{alert}.yaml").read_text(encoding="utf-8"))
    assert [(CASES / path).resolve() for path in told["rule_files"]] == [RULES]
    asked = [case for test in told["tests"] for case in test["alert_rule_test"]]
    return [case for case in asked if case["alertname"] == alert]


ALERTS = alerts()


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_asks_only_for_what_the_code_exports(alert: str) -> None:
    """Every metric, every label, and every value of a label that has but a few."""
    expression = ALERTS[alert]["expr"]
    assert selectors(expression)
    assert list(unknown(expression, EXPORTED)) == []


def test_what_is_not_exported_is_found() -> None:
    """In a selector, in its matchers, in a grouping: the test above can fail."""
    expression = (
        'sum by (color) (rate(imbi_worker_attempts_total{outcome=~"retry|tired", shape="o"}[5m]))'
        " / imbi_worker_dreams_total"
    )
    assert set(unknown(expression, EXPORTED)) == {
        *("metric imbi_worker_dreams_total", "label color"),
        *(
            "outcome=tired of imbi_worker_attempts_total",
            "label shape of imbi_worker_attempts_total",
        ),
    }


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_and_what_to_read(alert: str) -> None:
    """It waits a while before it fires, and names its page by a relative path."""
    rule = ALERTS[alert]
    assert re.fullmatch(r"Imbi[A-Za-z]+", alert)
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{alert}.md"


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    """The index of the pages tells of each, with its severity."""
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    assert pages == set(ALERTS)
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|", index, re.MULTILINE)
    assert told == [(alert, alert, rule["labels"]["severity"]) for alert, rule in ALERTS.items()]


def test_every_alert_has_cases_in_which_it_fires_and_in_which_it_is_silent() -> None:
    """And there is no file of cases without its alert."""
    assert {path.stem for path in CASES.glob("*.yaml")} == set(ALERTS)
    for alert in ALERTS:
        fires = [bool(case["exp_alerts"]) for case in cases(alert)]
        assert set(fires) == {True, False}, alert


def test_the_examples_of_the_page_of_metrics_ask_for_what_is_exported() -> None:
    """Each line of its block is an expression with a remark."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```\n(.*?imbi_.*?)^```$", page, re.MULTILINE | re.DOTALL)
    examples = [line.partition("#")[0].strip() for line in block.splitlines()]
    assert examples
    for example in examples:
        assert list(unknown(example, EXPORTED)) == []


def test_dead_letters_are_said_to_be_many_before_any_is_thrown_away() -> None:
    """At nine tenths of what the janitor keeps."""
    kept, expression = Retention(), ALERTS["ImbiDeadLettersNearLimit"]["expr"]
    limits = [int(number) for number in re.findall(r"> (\d+)", expression)]
    assert limits == [kept.count * 9 // 10, kept.size_bytes * 9 // 10]


@pytest.mark.needs_deploy_tools
def test_prometheus_takes_the_rules(promtool: Path) -> None:
    assert f"{len(ALERTS)} rules found" in said(promtool, "check", "rules", RULES)


@pytest.mark.needs_deploy_tools
@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_in_its_cases_and_in_no_other(alert: str, promtool: Path) -> None:
    """With the labels and the words that an operator will read."""
    assert "SUCCESS" in said(promtool, "test", "rules", CASES / f"{alert}.yaml")


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a tool the tests fetched, and words of ours
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
