"""What the chart brings to Prometheus and Grafana is what stands in its files."""

import shutil
from pathlib import Path

import helm_python
import pytest
import yaml
from charts import CHART, merged, of_kind, pods, render, values_of

WATCHED = merged(values_of("smallest"), {"prometheusRule": {"enabled": True}})
RULES = yaml.safe_load((CHART / "files" / "rules.yaml").read_text(encoding="utf-8"))


def test_the_rules_are_those_that_promtool_tests() -> None:
    (rule,) = of_kind(render(WATCHED), "PrometheusRule")
    assert rule["spec"] == RULES
    assert rule["spec"]["groups"]


def test_alerts_lead_to_pages_that_can_be_opened() -> None:
    """Of each alert, at the address the operator names; a slash at its end is no matter."""
    address = "https://wiki.example.com/runbooks/"
    (rule,) = of_kind(
        render(merged(WATCHED, {"prometheusRule": {"runbooks": address}})), "PrometheusRule"
    )
    alerts = [one for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one]
    assert alerts
    for one in alerts:
        assert one["annotations"]["runbook_url"] == f"{address}{one['alert']}.md"


def test_prometheus_scrapes_every_pod_that_exports() -> None:
    """Workers, and the dashboard, which still tells when no worker is left."""
    documents = render(values_of("production"))
    (monitor,) = of_kind(documents, "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    scraped = {
        labels["app.kubernetes.io/component"]
        for labels, pod in pods(documents)
        if selected <= labels.items()
        and endpoint["port"] in {port["name"] for port in pod["containers"][0].get("ports", [])}
    }
    assert scraped == {"worker", "dashboard"}


def test_a_chart_without_its_files_says_so(tmp_path: Path) -> None:
    """And makes no empty rules, which would alert nobody."""
    shutil.copytree(CHART, tmp_path / "imbi-worker", ignore=shutil.ignore_patterns("rules.yaml"))
    with pytest.raises(helm_python.HelmError, match=r"the chart has no files/rules\.yaml"):
        render(WATCHED, folder=tmp_path / "imbi-worker")
