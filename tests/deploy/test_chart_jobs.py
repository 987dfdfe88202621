"""Two queues of one name are two jobs to Prometheus, to alerts and to the autoscaler."""

import json
import re

import promql_parser as promql
from charts import CHART, Document, merged, named, of_kind, pods, render, values_of

ON = {name: {"enabled": True} for name in ("podMonitor", "grafanaDashboard")}


def documents(case: str = "several-queues") -> list[Document]:
    return render(merged(values_of(case), ON))


def job_of(labels: dict[str, str], monitor: Document) -> str:
    """What Prometheus would call the job of a pod with *labels*."""
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (rule,) = [one for one in endpoint["relabelings"] if one["targetLabel"] == "job"]
    found = {
        "__meta_kubernetes_pod_label_" + re.sub(r"[^a-zA-Z0-9_]", "_", name): value
        for name, value in labels.items()
    }
    return str(rule["separator"]).join(found[name] for name in rule["sourceLabels"])


def test_grafana_gets_the_dashboard_as_it_stands() -> None:
    """With the label that its sidecar looks for."""
    maps = [one for one in of_kind(documents(), "ConfigMap") if "imbi-worker.json" in one["data"]]
    (found,) = maps
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    text = (CHART / "files" / "dashboard.json").read_text(encoding="utf-8")
    assert json.loads(found["data"]["imbi-worker.json"]) == json.loads(text)


def test_a_queue_is_one_job_with_its_dashboard_and_shares_it_with_no_other() -> None:
    """Alerts tell queues apart by it: two may have one name, in two Redis."""
    found = documents()
    (monitor,) = of_kind(found, "PodMonitor")
    jobs: dict[str, set[str]] = {}
    for labels, spec in pods(found):
        if spec["containers"][0].get("ports"):
            component = labels["app.kubernetes.io/component"]
            jobs.setdefault(job_of(labels, monitor), set()).add(component)
    assert jobs == {
        "demo/github": {"worker", "dashboard"},
        "demo/incidents": {"worker"},
        "demo/bulk": {"worker", "dashboard"},
    }


def test_keda_asks_for_the_job_of_its_own_queue() -> None:
    """The one that the PodMonitor gives to the pods it scales."""
    found = documents()
    (monitor,) = of_kind(found, "PodMonitor")
    (scaled,) = [
        one
        for one in of_kind(found, "ScaledObject")
        if one["spec"]["triggers"][0]["type"] == "prometheus"
    ]
    target = named(found, "Deployment", scaled["spec"]["scaleTargetRef"]["name"])
    wanted: dict[str, str] = {}

    def look(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            wanted.update({one.name: one.value for one in node.matchers.matchers})

    promql.walk(promql.parse(scaled["spec"]["triggers"][0]["metadata"]["query"]), look)
    labels = target["spec"]["template"]["metadata"]["labels"]
    assert wanted["job"] == job_of(labels, monitor)
