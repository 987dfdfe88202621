"""The dashboard: its script prints it, it asks for what is exported, Grafana can draw it."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from exported import series
from expressions import selectors, unknown

from imbi_worker.observability import metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
FILE = DEPLOY / "helm" / "imbi-worker" / "files" / "dashboard.json"
ROWS = ["Overview", "Backlog", "Plugins", "Failures", "Workers"]
VARIABLES = ["datasource", "namespace", "job", "queue", "plugin"]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
DRAWN = [panel for panel in PANELS if panel["type"] != "row"]
EXPORTED = series()


def filled_in(text: str) -> str:
    """*text* as Grafana sends it, with everything chosen."""
    text = text.replace("$__rate_interval", "2m")
    for name in VARIABLES:
        text = re.sub(rf"\$({name}\b|{{{name}}})", ".*", text)
    assert "$" not in text, text
    return text


def datasources(part: Any) -> Iterator[Any]:
    """Every datasource that stands anywhere in *part*."""
    below = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    if isinstance(part, dict) and "datasource" in part:
        yield part["datasource"]
    for one in below:
        yield from datasources(one)


def expressions(panel: dict[str, Any]) -> list[str]:
    return [filled_in(target["expr"]) for target in panel["targets"]]


def test_the_file_is_what_its_script_prints() -> None:
    """Nobody has edited one without the other."""
    script = [sys.executable, str(DEPLOY / "grafana" / "dashboard.py")]
    printed = subprocess.run(script, check=True, capture_output=True, text=True)  # noqa: S603 - our own script
    assert printed.stdout == FILE.read_text(encoding="utf-8")


def test_grafana_keeps_it_under_one_name() -> None:
    """An import replaces the one before it."""
    assert DASHBOARD["uid"] == "imbi-worker"
    assert DASHBOARD["schemaVersion"] >= 39
    assert "id" not in DASHBOARD


def test_the_rows_go_from_the_whole_to_the_parts() -> None:
    assert [panel["title"] for panel in PANELS if panel["type"] == "row"] == ROWS


def test_no_datasource_is_named() -> None:
    """Whoever imports it chooses; every panel, query, variable and mark asks there."""
    named = list(datasources(DASHBOARD))
    assert all(one == SOURCE for one in named)
    assert len(named) > 2 * len(DRAWN)
    for part in (*DRAWN, *(target for panel in DRAWN for target in panel["targets"])):
        assert part["datasource"] == SOURCE


def test_what_is_chosen_from_is_exported() -> None:
    """Each variable asks for a label that its metric has, narrowed by those before it."""
    variables = DASHBOARD["templating"]["list"]
    assert [one["name"] for one in variables] == VARIABLES
    for one in variables[1:]:
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", one["query"]["query"])
        assert asked is not None
        assert list(unknown(f"sum by ({asked[2]}) ({filled_in(asked[1])})", EXPORTED)) == []
        assert asked[2] == one["name"]
        assert (one["allValue"], one["includeAll"]) == (".*", True)


@pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])
def test_a_panel_asks_only_for_what_the_code_exports(panel: dict[str, Any]) -> None:
    """Every metric, label and value; and it lets itself be narrowed."""
    for target, expression in zip(panel["targets"], expressions(panel), strict=True):
        assert list(unknown(expression, EXPORTED)) == []
        for selector in selectors(expression):
            chosen = {one.name: one.value for one in selector.matchers.matchers}
            assert chosen["namespace"] == ".*"
            assert chosen.keys() >= {"job"} or selector.name.startswith("imbi_client_")
        legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        kept = set(re.findall(r"by \(([^)]*)\)", expression))
        by = {label.strip() for labels in kept for label in labels.split(",")}
        assert legend <= by | {"instance"}


@pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    """Seconds, bytes, shares, a rate or a number; and one sentence at least."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    assert unit in {"s", "bytes", "percentunit", "ops", "short"}
    assert panel["description"].endswith(".")
    text = " ".join(expressions(panel))
    if unit in {"s", "bytes"}:
        assert ("_seconds" if unit == "s" else "_bytes") in text
    if unit == "ops":
        assert "rate(" in text


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    """On 24 columns, each panel below the title of its row."""
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in PANELS]
    assert all(one["x"] >= 0 and one["x"] + one["w"] <= 24 for one in places)
    for one, other in itertools.combinations(places, 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_above, (one, other)
    assert [one["y"] for one in places] == sorted(one["y"] for one in places)


def test_every_metric_is_looked_at() -> None:
    """One that stands in no panel would be counted for nobody."""
    seen = {
        re.sub(r"_(bucket|count|sum)$", "", selector.name)
        for panel in DRAWN
        for expression in expressions(panel)
        for selector in selectors(expression)
    }
    assert seen == {metric.name for metric in metrics.ALL}


@pytest.mark.needs_deploy_tools
def test_grafanas_own_types_take_it(node_modules: Path) -> None:
    """As a whole, and each panel by the types of its kind."""
    assert judged(DASHBOARD, node_modules) == []


@pytest.mark.needs_deploy_tools
@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schemaVersion",), "39"),
        (("colour",), "red"),
        (("panels", 1, "options", "colourMode"), "value"),
        (("panels", 1, "fieldConfig", "defaults", "thresholds", "mode"), "rather"),
        (("panels", 7, "fieldConfig", "defaults", "custom", "showPoints"), "seldom"),
        (("panels", 7, "targets", 0, "expression"), "up"),
        (("templating", "list", 1, "refresh"), "often"),
    ],
)
def test_what_grafana_does_not_know_is_seen(
    place: tuple[str | int, ...], value: str, node_modules: Path
) -> None:
    """Or the test above would prove nothing."""
    broken = deepcopy(DASHBOARD)
    part: Any = broken
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    assert judged(broken, node_modules) != []


def judged(dashboard: dict[str, Any], node_modules: Path) -> list[str]:
    """What Grafana's types have against *dashboard*."""
    script = Path(__file__).with_name("grafana.mjs").read_text(encoding="utf-8")
    said = subprocess.run(  # noqa: S603 - our own words
        ["node", "--input-type=module", "--eval", script],  # noqa: S607 - whichever Node.js is at hand
        check=True,
        capture_output=True,
        text=True,
        input=json.dumps(dashboard),
        cwd=node_modules.parent,
    )
    return [str(one) for one in json.loads(said.stdout)]


def test_alerts_that_fire_are_marked_on_every_graph() -> None:
    """By the series that Prometheus itself keeps of them."""
    (mark,) = DASHBOARD["annotations"]["list"]
    assert mark["datasource"] == SOURCE
    (selector,) = selectors(filled_in(mark["target"]["expr"]))
    assert selector.name == "ALERTS"
    chosen = {one.name: one.value for one in selector.matchers.matchers}
    assert chosen["alertname"] == "Imbi.+"
    assert chosen["alertstate"] == "firing"
